import type { Filter } from '../question.ts'

export const requestedHost: Filter = ({ server: { requestedHost: wanted } }) =>
  wanted === null ? null : (host) => (wanted === host.name ? null : `host ${wanted} was asked for`)
