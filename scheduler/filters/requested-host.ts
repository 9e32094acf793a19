import type { Filter } from '../question.ts'

export const requestedHost: Filter =
  ({ server: { requestedHost: wanted } }) =>
  (host) =>
    wanted === null || wanted === host.name ? null : `host ${wanted} was asked for`
