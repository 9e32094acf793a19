/** Which hosts could take a server, which of them is best, and why the others could not. */
import type { Config } from '../core/config.ts'
import { weightsOf } from '../core/scheduling.ts'
import type { HostPlace } from '../db/host-places.ts'
import { filtersOf, groupFiltersOf } from './filters/index.ts'
import type { Filter, Question } from './question.ts'
import { scalesOf, type Part, type Scales } from './weighers/index.ts'

/** A host that may take the server. */
export interface Fitting {
  readonly host: HostPlace
  readonly points: number
}

/** What came of asking every host. */
export interface Choice {
  /** best first: all that fit, or as many of the best as were wanted */
  readonly fitting: readonly Fitting[]
  /** of which the points of one that fits are the sum */
  readonly partsOf: (host: HostPlace) => readonly Part[]
  /** host -> why not */
  readonly reasons: Readonly<Record<string, string>>
}

/** What chooses: the settings of the scheduler. */
export type Rules = Pick<Config, 'schedulerFilters' | 'schedulerWeighers'>

/** @returns for a host, the first reason against it */
function refusals(filters: readonly Filter[], question: Question): (host: HostPlace) => string | null {
  const asked = filters.map((filter) => filter(question)).filter((ask) => ask !== null)
  return (host) => {
    for (const ask of asked) {
      const reason = ask(host)
      if (reason !== null) return reason
    }
    return null
  }
}

const fnv = { offset: 0x811c9dc5, prime: 0x01000193 } as const

/** Source: FNV-1a of 32 bits. */
function digest(text: string, from: number): number {
  let hash = from
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), fnv.prime)
  return hash
}

/**
 * Equals are ordered differently for each server, so that two schedulers do not both go for the same host. The part that all hosts share is
 * reckoned once.
 */
function lots({ server }: Question): (host: HostPlace) => number {
  const own = digest(`${server.lot} `, fnv.offset)
  return ({ name }) => digest(name, own) >>> 0
}

interface Drawn extends Fitting {
  readonly lot: number
}

function isBetter(one: Drawn, other: Drawn): boolean {
  return one.points > other.points || (one.points === other.points && one.lot < other.lot)
}

/** The best of many, in order: most hosts are passed over by their points alone, and nothing is made of them. */
function bestOf(
  hosts: readonly HostPlace[],
  { points: pointsOf, lotOf, most }: { points: Scales['points']; lotOf: (host: HostPlace) => number; most: number },
): readonly Fitting[] {
  const best: Drawn[] = []
  for (const host of hosts) {
    const points = pointsOf(host)
    const last = best.length < most ? undefined : best.at(-1)
    if (last && points < last.points) continue
    const one = { host, points, lot: lotOf(host) }
    if (last && !isBetter(one, last)) continue
    const behind = best.findIndex((other) => isBetter(one, other))
    best.splice(behind === -1 ? best.length : behind, 0, one)
    if (best.length > most) best.pop()
  }
  return best
}

/** @param most how many of the best are wanted: asked of all hosts for every server, this is to cost next to nothing */
export function choose(hosts: readonly HostPlace[], question: Question, rules: Rules, most = hosts.length): Choice {
  const refusalOf = refusals(filtersOf(rules.schedulerFilters), question)
  const reasons: Record<string, string> = { ...question.server.failedHosts }
  const passed = hosts.filter((host) => {
    const reason = refusalOf(host)
    if (reason !== null) reasons[host.name] = reason
    return reason === null
  })
  const { points, parts } = scalesOf(weightsOf(rules.schedulerWeighers), passed, question)
  return { fitting: bestOf(passed, { points, lotOf: lots(question), most }), partsOf: parts, reasons }
}

/** Whether what is asked of groups still holds. */
export function suitsGroup(host: HostPlace, question: Question, rules: Rules): boolean {
  return refusals(groupFiltersOf(rules.schedulerFilters), question)(host) === null
}
