import type { FilterName } from '../../core/scheduling.ts'
import type { Filter } from '../question.ts'
import { affinity } from './affinity.ts'
import { aggregate } from './aggregate.ts'
import { alive } from './alive.ts'
import { antiAffinity } from './anti-affinity.ts'
import { capacity } from './capacity.ts'
import { differentHost } from './different-host.ts'
import { enabled } from './enabled.ts'
import { imagePresent } from './image-present.ts'
import { notTried } from './not-tried.ts'
import { requestedHost } from './requested-host.ts'
import { sameHost } from './same-host.ts'
import { traits } from './traits.ts'
import { zone } from './zone.ts'

const chosen: Readonly<Record<FilterName, Filter>> = {
  alive,
  enabled,
  zone,
  aggregate,
  traits,
  'same-host': sameHost,
  'different-host': differentHost,
  affinity,
  'anti-affinity': antiAffinity,
  capacity,
  'image-present': imagePresent,
}

/** Those that look at the other servers of a group: asked again when the place is taken. */
const ofGroups: readonly FilterName[] = ['affinity', 'anti-affinity']

/** In the order of the settings, behind two that are no matter of choice. */
export function filtersOf(names: readonly FilterName[]): readonly Filter[] {
  return [notTried, requestedHost, ...names.map((name) => chosen[name])]
}

export function groupFiltersOf(names: readonly FilterName[]): readonly Filter[] {
  return names.filter((name) => ofGroups.includes(name)).map((name) => chosen[name])
}
