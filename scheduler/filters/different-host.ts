import type { Filter } from '../question.ts'

export const differentHost: Filter = (host, { neighbours: { differentHosts } }) =>
  differentHosts.includes(host.name) ? 'a server of hint different_host is on it' : null
