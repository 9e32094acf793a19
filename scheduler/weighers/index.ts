import { weigherNames, type WeigherName, type Weights } from '../../core/scheduling.ts'
import type { HostUse } from '../../db/hosts.ts'
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

/** @returns for a host, each weigher's part in its points */
export function scalesOf(
  weights: Weights,
  hosts: readonly HostUse[],
  question: Question,
): (host: HostUse) => readonly Part[] {
  const scales = weigherNames.flatMap((weigher) => {
    const weight = weights.get(weigher)
    return weight === undefined ? [] : [{ weigher, weight, give: weighers[weigher](hosts, question) }]
  })
  return (host) => scales.map(({ weigher, weight, give }) => ({ weigher, points: weight * give(host) }))
}
