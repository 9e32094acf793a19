import type { Filter } from '../question.ts'

export const notTried: Filter = (host, { server }) => server.failedHosts[host.name] ?? null
