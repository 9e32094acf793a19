import type { Weigher } from '../question.ts'

/** The host with the most servers is best: others stay empty, for large servers or for the night. */
export const pack: Weigher = (hosts) => {
  const most = Math.max(1, ...hosts.map(({ servers }) => servers))
  return ({ servers }) => servers / most
}
