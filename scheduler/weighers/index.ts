import { weigherNames, type WeigherName, type Weights } from '../../core/scheduling.ts'
import type { HostPlace } from '../../db/host-places.ts'
import type { Question, Weigher } from '../question.ts'
import { freeMemory } from './free-memory.ts'
import { imagePresent } from './image-present.ts'
import { load } from './load.ts'
import { pack } from './pack.ts'
import { softAffinity } from './soft-affinity.ts'
import { spread } from './spread.ts'
import { subnetBalance } from './subnet-balance.ts'

const weighers: Readonly<Record<WeigherName, Weigher>> = {
  'soft-affinity': softAffinity,
  spread,
  pack,
  'free-memory': freeMemory,
  load,
  'image-present': imagePresent,
  'subnet-balance': subnetBalance,
}

/** What one weigher gives a host, times its weight. */
export interface Part {
  readonly weigher: WeigherName
  readonly points: number
}

/** What the weighers give a host. */
export interface Scales {
  /** the sum of all parts */
  readonly points: (host: HostPlace) => number
  readonly parts: (host: HostPlace) => readonly Part[]
}

/** Asked of every host for every server: the sum makes nothing that must be thrown away again. */
export function scalesOf(weights: Weights, hosts: readonly HostPlace[], question: Question): Scales {
  const scales = weigherNames.flatMap((weigher) => {
    const weight = weights.get(weigher)
    return weight === undefined ? [] : [{ weigher, weight, give: weighers[weigher](hosts, question) }]
  })
  return {
    points: (host) => {
      let sum = 0
      for (const { weight, give } of scales) sum += weight * give(host)
      return sum
    },
    parts: (host) => scales.map(({ weigher, weight, give }) => ({ weigher, points: weight * give(host) })),
  }
}
