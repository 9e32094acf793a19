import type { Filter } from './filter.ts'

export const notTried: Filter = (host, server) => server.failedHosts[host.name] ?? null
