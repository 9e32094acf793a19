import type { Filter } from '../question.ts'

export const differentHost: Filter = ({ neighbours: { differentHosts } }) =>
  differentHosts.length === 0
    ? null
    : (host) => (differentHosts.includes(host.name) ? 'a server of hint different_host is on it' : null)
