import { affinity } from './affinity.ts'
import { alive } from './alive.ts'
import { antiAffinity } from './anti-affinity.ts'
import { capacity } from './capacity.ts'
import { differentHost } from './different-host.ts'
import { enabled } from './enabled.ts'
import type { Filter } from './filter.ts'
import { notTried } from './not-tried.ts'
import { requestedHost } from './requested-host.ts'
import { sameHost } from './same-host.ts'
import { zone } from './zone.ts'

/** Those that look at the other servers of a group: asked again when the place is taken. */
export const groupFilters: readonly Filter[] = [affinity, antiAffinity]

export const filters: readonly Filter[] = [
  notTried,
  requestedHost,
  alive,
  enabled,
  zone,
  sameHost,
  differentHost,
  ...groupFilters,
  capacity,
]
