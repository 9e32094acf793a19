import type { Weigher } from '../question.ts'

/** The host with the most servers is best: others stay empty, for large servers or for the night. */
export const pack: Weigher = (hosts) => {
  const most = hosts.reduce((many, { servers }) => Math.max(many, servers), 1)
  return ({ servers }) => servers / most
}
