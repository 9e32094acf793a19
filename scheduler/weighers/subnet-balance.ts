import type { Weigher } from '../question.ts'

/** The rack with the fewest addresses of the server's subnets is best, so that the loss of one takes few of a subnet along. */
export const subnetBalance: Weigher = (_hosts, { portsByRack }) => {
  const most = Math.max(1, ...portsByRack.values())
  return ({ rack }) => (rack === null ? 0 : 1 - (portsByRack.get(rack) ?? 0) / most)
}
