/** A walk with a real client: step by step through the life of one server, each step looked at from outside. */
import type { Client } from '../journeys/client.ts'
import { until } from '../world/index.ts'
import type { Api } from './api.ts'
import type { Verdict } from './verdicts.ts'

export interface Step {
  /** what the client is told */
  readonly words: readonly string[]
  /** what it says has this in it */
  readonly says?: string | RegExp
  /** it must fail, and say this */
  readonly fails?: RegExp
  /** what the server comes to, without a task left */
  readonly reaches?: readonly string[]
  /** what the guest then says to a command over ssh */
  readonly guest?: { readonly told: string; readonly says: string }
  /** without it no other step has a sense */
  readonly isVital?: true
}

export interface Walk {
  readonly client: Client
  readonly api: Api
  /** name of the server */
  readonly server: string
  readonly address: string
}

const reachTimeoutMs = 120_000
const guestTimeoutMs = 60_000

async function take(
  { client, api, server, address }: Walk,
  { words, says, fails, reaches, guest }: Step,
): Promise<void> {
  const { text, error, exitCode } = await client.try(...words)
  if (fails) {
    if (exitCode === 0) throw new Error('was not refused')
    if (!fails.test(error)) throw new Error(`was refused by '${error.slice(-300)}'`)
    return
  }
  if (exitCode !== 0) throw new Error(error.slice(-300))
  const isSaid = says === undefined || (typeof says === 'string' ? text.includes(says) : says.test(text))
  if (!isSaid) throw new Error(`said '${text.slice(0, 300)}', not ${String(says)}`)
  if (reaches) {
    const arrived = async (): Promise<string | null> => {
      const status = await api.statusOf(server)
      return reaches.includes(status) || status === 'ERROR' ? status : null
    }
    const status = await until(arrived, { timeoutMs: reachTimeoutMs, what: `${server} to be ${reaches.join(' or ')}` })
    if (status === 'ERROR') throw new Error('the server is in ERROR')
  }
  if (!guest) return
  const heard = async (): Promise<boolean> => (await client.ssh(address, guest.told)) === guest.says
  await until(heard, { timeoutMs: guestTimeoutMs, what: `the guest's '${guest.says}' to '${guest.told}'` })
}

/** Takes every step, also after one that failed, but for a vital one. @returns one verdict per step taken */
export async function go(walk: Walk, steps: readonly Step[]): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = []
  for (const step of steps) {
    const firstOption = step.words.findIndex((word) => word.startsWith('-'))
    const named = firstOption === -1 ? step.words : step.words.slice(0, firstOption)
    const test = [walk.client.command, ...named].join(' ')
    try {
      await take(walk, step)
      verdicts.push({ test, outcome: 'passed', said: '' })
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error)
      process.stdout.write(`  ✗ ${test}: ${said}\n`)
      verdicts.push({ test, outcome: 'failed', said })
      if (step.isVital) break
    }
  }
  return verdicts
}
