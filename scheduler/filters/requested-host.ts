import type { Filter } from '../question.ts'

export const requestedHost: Filter = (host, { server: { requestedHost: wanted } }) =>
  wanted === null || wanted === host.name ? null : `host ${wanted} was asked for`
