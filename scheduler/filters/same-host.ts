import type { Filter } from '../question.ts'

export const sameHost: Filter = ({ neighbours: { sameHosts } }) =>
  sameHosts === null
    ? null
    : (host) => (sameHosts.includes(host.name) ? null : 'none of the servers of hint same_host is on it')
