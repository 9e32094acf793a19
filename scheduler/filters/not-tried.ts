import type { Filter } from '../question.ts'

export const notTried: Filter =
  ({ server }) =>
  (host) =>
    server.failedHosts[host.name] ?? null
