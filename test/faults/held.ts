/** What the processes of a cloud hold: of each part, and of what it started, descriptors and memory of their own. */
import { readdirSync, readFileSync } from 'node:fs'
import { ask } from '../../machine/supervisor-protocol.ts'
import type { TestCloud } from '../world/index.ts'

export interface Held {
  readonly processes: number
  readonly descriptors: number
  /** of memory that no file can give again: what a leak would take */
  readonly MiB: number
}

interface Process extends Held {
  readonly pid: number
  readonly parent: number
  readonly name: string
}

/** null for one that ended while it was looked at, and for one that waits for its parent to hear of its end. */
function lookAt(pid: number): Process | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const of = (key: string): string => new RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? ''
    if (of('State') === 'Z') return null
    const descriptors = readdirSync(`/proc/${pid}/fd`).length
    const MiB = Number(of('RssAnon') || 0) / 1024
    return { pid, parent: Number(of('PPid')), name: of('Name'), processes: 1, descriptors, MiB }
  } catch {
    return null
  }
}

function sum(all: readonly Held[]): Held {
  const of = (key: keyof Held): number => all.reduce((total, one) => total + one[key], 0)
  return { processes: all.length, descriptors: of('descriptors'), MiB: Math.round(of('MiB')) }
}

/**
 * Every process in the namespaces of this test run but the test's own, by the part that it descends from: 'docker/containerd'. What
 * outlived its parent stands by its own name, as a container's shim does.
 */
export async function heldBy({ site }: TestCloud): Promise<ReadonlyMap<string, Held>> {
  const parts = await ask(site.layout.supervisorSocket, { op: 'status' })
  const names = new Map(parts.flatMap(({ pid, name }) => (pid === null ? [] : [[pid, name] as const])))
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const all = new Map(pids.flatMap((pid) => lookAt(Number(pid)) ?? []).map((one) => [one.pid, one]))
  const own = new Set([1])
  for (let pid = process.pid; pid > 1; pid = all.get(pid)?.parent ?? 0) own.add(pid)
  const groupOf = (one: Process): string | null => {
    const part = names.get(one.pid)
    if (part !== undefined) return part
    for (let up = all.get(one.parent); up; up = all.get(up.parent)) {
      const ancestor = names.get(up.pid)
      // A Postgres of many processes is one part; of another part's children each kind counts by itself.
      if (ancestor !== undefined) return ancestor === 'postgres' ? ancestor : `${ancestor}/${one.name}`
      if (up.pid === process.pid) return null
    }
    return one.name
  }
  const groups = Map.groupBy(
    [...all.values()].filter(({ pid }) => !own.has(pid)),
    groupOf,
  )
  return new Map([...groups].flatMap(([name, held]) => (name === null ? [] : [[name, sum(held)] as const])))
}
