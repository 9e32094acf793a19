import type { Filter } from './filter.ts'

export const enabled: Filter = (host) =>
  host.isEnabled ? null : `it is disabled (${host.disabledReason ?? 'no reason given'})`
