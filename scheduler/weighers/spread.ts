import type { Weigher } from '../question.ts'

/** The host with the fewest servers is best, one with as many as any other worst. */
export const spread: Weigher = (hosts) => {
  const most = Math.max(1, ...hosts.map(({ servers }) => servers))
  return ({ servers }) => 1 - servers / most
}
