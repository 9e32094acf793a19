/** Looks at every invariant twice: what a running change shows for a moment is no drift. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import type { Check, Drift, Scene } from './check.ts'

/** One line of the result. */
export interface Finding {
  readonly check: string
  readonly text: string
  /** what was done, or what a person should do */
  readonly remedy: string
  readonly isMended: boolean
}

interface Seen {
  readonly check: string
  readonly drift: Drift
}

/** How an audit looks, and whether it mends. */
export interface AuditOptions {
  readonly repair: boolean
  /** seconds that drift may take to settle by itself before it is told */
  readonly settleSeconds: number
}

const pauseMs = 1500

function keyOf({ check, drift }: Seen): string {
  return `${check} ${drift.text}`
}

/** A check that breaks off is drift too: nobody knows whether its invariant holds. */
async function lookAt(check: Check, scene: Scene): Promise<readonly Seen[]> {
  try {
    return (await check.run(scene)).map((drift) => ({ check: check.name, drift }))
  } catch (error) {
    const drift = { text: `the check broke off: ${messageOf(error)}`, advice: 'what it asked does not answer' }
    return [{ check: check.name, drift }]
  }
}

async function look(checks: readonly Check[], sceneOf: () => Promise<Scene>): Promise<readonly Seen[]> {
  const scene = await sceneOf()
  return (await Promise.all(checks.map((check) => lookAt(check, scene)))).flat()
}

async function mend({ check, drift }: Seen): Promise<Finding> {
  const { text } = drift
  if (!('repair' in drift)) return { check, text, remedy: drift.advice, isMended: false }
  try {
    await drift.repair()
    return { check, text, remedy: drift.remedy, isMended: true }
  } catch (error) {
    return { check, text, remedy: `not mended: ${messageOf(error)}`, isMended: false }
  }
}

function tell({ check, drift }: Seen): Finding {
  const remedy = 'repair' in drift ? `--repair: ${drift.remedy}` : drift.advice
  return { check, text: drift.text, remedy, isMended: false }
}

/** @returns a line for each drift that was there at every look; empty = all invariants hold */
export async function audit(
  checks: readonly Check[],
  sceneOf: () => Promise<Scene>,
  { repair, settleSeconds }: AuditOptions,
): Promise<readonly Finding[]> {
  const deadline = performance.now() + settleSeconds * 1000
  let seen = await look(checks, sceneOf)
  while (seen.length > 0 && performance.now() < deadline) {
    await sleep(pauseMs)
    const again = new Map((await look(checks, sceneOf)).map((one) => [keyOf(one), one]))
    seen = seen.flatMap((one) => again.get(keyOf(one)) ?? [])
  }
  const findings: Finding[] = []
  for (const one of seen) findings.push(repair ? await mend(one) : tell(one))
  return findings
}
