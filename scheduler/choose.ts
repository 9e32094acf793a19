/** Which hosts could take a server, which of them is best, and why the others could not. */
import type { Config } from '../core/config.ts'
import { weightsOf } from '../core/scheduling.ts'
import type { HostUse } from '../db/hosts.ts'
import { filtersOf, groupFiltersOf } from './filters/index.ts'
import type { Filter, Question } from './question.ts'
import { scalesOf, type Part } from './weighers/index.ts'

export interface Fitting {
  readonly host: HostUse
  readonly points: number
  readonly parts: readonly Part[]
}

export interface Choice {
  /** best first */
  readonly fitting: readonly Fitting[]
  /** host -> why not */
  readonly reasons: Readonly<Record<string, string>>
}

/** What chooses: the settings of the scheduler. */
export type Rules = Pick<Config, 'schedulerFilters' | 'schedulerWeighers'>

function refusalOf(asked: readonly Filter[], host: HostUse, question: Question): string | null {
  for (const filter of asked) {
    const reason = filter(host, question)
    if (reason !== null) return reason
  }
  return null
}

/**
 * Equals are ordered differently for each server, so that two schedulers do not both go for the same host. Asked of every host for every
 * server, so it is to cost next to nothing. Source: FNV-1a of 32 bits.
 */
function lot({ server }: Question, { name }: HostUse): number {
  const text = `${server.lot} ${name}`
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

export function choose(hosts: readonly HostUse[], question: Question, rules: Rules): Choice {
  const asked = filtersOf(rules.schedulerFilters)
  const reasons: Record<string, string> = { ...question.server.failedHosts }
  const passed = hosts.filter((host) => {
    const reason = refusalOf(asked, host, question)
    if (reason !== null) reasons[host.name] = reason
    return reason === null
  })
  const weigh = scalesOf(weightsOf(rules.schedulerWeighers), passed, question)
  const weighed = passed.map((host) => {
    const parts = weigh(host)
    const points = parts.reduce((sum, part) => sum + part.points, 0)
    return { fitting: { host, parts, points }, lot: lot(question, host) }
  })
  return {
    fitting: weighed
      .toSorted((a, b) => b.fitting.points - a.fitting.points || a.lot - b.lot)
      .map(({ fitting }) => fitting),
    reasons,
  }
}

/** Whether what is asked of groups still holds. */
export function suitsGroup(host: HostUse, question: Question, rules: Rules): boolean {
  return refusalOf(groupFiltersOf(rules.schedulerFilters), host, question) === null
}
