import type { Filter } from '../question.ts'

/** A server whose owner asked for no zone may go into any. */
export const zone: Filter = ({ server: { pinnedZone } }) =>
  pinnedZone === null
    ? null
    : (host) => (host.zone === pinnedZone ? null : `it is in zone ${host.zone}, not ${pinnedZone}`)
