import type { Filter } from './filter.ts'

export const sameHost: Filter = (host, _server, { sameHosts }) =>
  sameHosts === null || sameHosts.includes(host.name) ? null : 'none of the servers of hint same_host is on it'
