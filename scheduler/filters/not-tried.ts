import type { Filter } from '../question.ts'

export const notTried: Filter = ({ server: { failedHosts } }) =>
  Object.keys(failedHosts).length === 0 ? null : (host) => failedHosts[host.name] ?? null
