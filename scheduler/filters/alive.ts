import { silentSecondsAllowed } from '../../db/host-status.ts'
import type { Filter } from '../question.ts'

export const alive: Filter = (host) => {
  if (host.isForcedDown) return 'an administrator has declared it down'
  if (host.silentSeconds > silentSecondsAllowed)
    return `its agent has been silent for ${Math.round(host.silentSeconds)} s`
  return host.problem
}
