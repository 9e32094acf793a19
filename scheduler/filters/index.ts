import { alive } from './alive.ts'
import { capacity } from './capacity.ts'
import { enabled } from './enabled.ts'
import type { Filter } from './filter.ts'
import { notTried } from './not-tried.ts'
import { zone } from './zone.ts'

export const filters: readonly Filter[] = [notTried, alive, enabled, zone, capacity]
