/** What became of each test of Tempest, out of the events of a run. */
import { z } from 'zod'

export const eventSchema = z.union([
  z.strictObject({ exit: z.number() }),
  z.strictObject({ test: z.string(), status: z.string().nullable(), said: z.string() }),
])

export interface Verdict {
  /** without its attributes, such as 'tempest.api.compute.test_versions.TestVersions.test_list_api_versions' */
  readonly test: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** the reason of a skip, or the traceback of a failure */
  readonly said: string
}

interface Seen {
  status: string | null
  said: string
}

/** The set-up or tear-down of a class is told as a test of its own. */
const fixtureForm = /^(setUpClass|tearDownClass) \((.+)\)$/
const unended = new Set(['exists', 'inprogress'])

function isEnded(status: string | null): boolean {
  return status !== null && !unended.has(status)
}

export function withoutAttributes(test: string): string {
  return test.replace(/\[.*\]$/, '')
}

function outcomeOf(status: string | null): Verdict['outcome'] {
  if (status === 'success' || status === 'xfail') return 'passed'
  return status === 'skip' ? 'skipped' : 'failed'
}

/** Collects events; at any time, what is known so far. */
export class Verdicts {
  readonly #seen = new Map<string, Seen>()

  add({ test, status, said }: { readonly test: string; readonly status: string | null; readonly said: string }): void {
    const seen = this.#seen.get(test) ?? { status: null, said: '' }
    // A clean-up that fails after a success makes the test fail; nothing takes a failure back.
    if (status !== null && seen.status !== 'fail' && !(unended.has(status) && seen.status !== null))
      seen.status = status
    seen.said += said
    this.#seen.set(test, seen)
  }

  /** How many tests are known, and how many of them have ended. */
  progress(): { readonly known: number; readonly ended: number } {
    const tests = [...this.#seen].filter(([test]) => !fixtureForm.test(test))
    return { known: tests.length, ended: tests.filter(([, { status }]) => isEnded(status)).length }
  }

  /** What was said in a test so far. */
  saidOf(test: string): string {
    return this.#seen.get(test)?.said ?? ''
  }

  /**
   * One for each test, in the order of their names. The tests of a class whose set-up skipped or failed share its outcome; a test
   * that never ended has failed, and so has a fixture without tests.
   */
  all(): readonly Verdict[] {
    const fixtures = new Map<string, Seen>()
    const rest: Verdict[] = []
    for (const [test, seen] of this.#seen) {
      const [, kind, name] = fixtureForm.exec(test) ?? []
      if (name === undefined) continue
      if (kind === 'setUpClass') fixtures.set(name, seen)
      else if (seen.status === 'fail') rest.push({ test, outcome: 'failed', said: seen.said })
    }
    const shared = new Set<string>()
    for (const [test, seen] of this.#seen) {
      if (fixtureForm.test(test)) continue
      const plain = withoutAttributes(test)
      const className = plain.slice(0, plain.lastIndexOf('.'))
      const hasEnded = isEnded(seen.status)
      const { status, said } = hasEnded ? seen : (fixtures.get(className) ?? seen)
      if (!hasEnded) shared.add(className)
      rest.push({ test: plain, outcome: outcomeOf(status), said: said === '' && !hasEnded ? 'never ended' : said })
    }
    for (const [name, { status, said }] of fixtures)
      if (status === 'fail' && !shared.has(name)) rest.push({ test: `setUpClass of ${name}`, outcome: 'failed', said })
    return rest.sort((a, b) => (a.test < b.test ? -1 : 1))
  }
}

/** The line of a traceback that tells most: the last that is not empty. */
export function gist(said: string): string {
  const lines = said.split('\n').map((line) => line.trim())
  return lines.findLast((line) => line !== '') ?? ''
}
