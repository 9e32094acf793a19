import type { Filter } from './filter.ts'

export const differentHost: Filter = (host, _server, { differentHosts }) =>
  differentHosts.includes(host.name) ? 'a server of hint different_host is on it' : null
