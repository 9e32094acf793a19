import type { Weigher } from '../question.ts'

/** The host with the fewest servers is best, one with as many as any other worst. */
export const spread: Weigher = (hosts) => {
  const most = hosts.reduce((many, { servers }) => Math.max(many, servers), 1)
  return ({ servers }) => 1 - servers / most
}
