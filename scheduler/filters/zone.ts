import type { Filter } from './filter.ts'

export const zone: Filter = (host, server) =>
  host.zone === server.availabilityZone ? null : `it is in zone ${host.zone}, not ${server.availabilityZone}`
