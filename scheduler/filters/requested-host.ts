import type { Filter } from './filter.ts'

export const requestedHost: Filter = (host, { requestedHost: wanted }) =>
  wanted === null || wanted === host.name ? null : `host ${wanted} was asked for`
