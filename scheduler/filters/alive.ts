import type { Filter } from './filter.ts'

/** Nova's service_down_time: an agent silent for longer counts as down. */
const silentSecondsAllowed = 60

export const alive: Filter = (host) => {
  if (host.isForcedDown) return 'an administrator has declared it down'
  if (host.silentSeconds > silentSecondsAllowed)
    return `its agent has been silent for ${Math.round(host.silentSeconds)} s`
  return host.problem
}
