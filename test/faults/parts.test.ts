/** Each part is killed, and frozen, while users are at work: guests do not notice, and no acknowledged request is lost. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Db } from '../../db/connect.ts'
import { environmentOfService } from '../../machine/services.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { freeze } from './freeze.ts'
import { Load } from './load.ts'
import { isFull, record } from './record.ts'
import { databaseOf, died, pidOf, revive } from './services.ts'
import { User } from './user.ts'
import { birthOf, memoryOf, watch, witness, type Witness } from './witness.ts'

const all = [
  'api',
  'scheduler',
  'agent',
  'docker',
  'postgres',
  'ovs-vswitchd',
  'ovsdb-server',
  'lxcfs',
  'registry',
] as const
type Part = (typeof all)[number]
const killed: readonly Part[] = isFull ? all : ['docker', 'ovs-vswitchd']
const frozen: readonly Part[] = isFull ? all : ['docker']
const frozenMs = isFull ? 60_000 : 14_000
/** Requests that are under way when the part goes. */
const workBeforeMs = 3000
const healMs = 90_000
/** Without ovs-vswitchd no frame passes in the userspace datapath: its restart is the gap. Others are not in the way of a frame. */
const gapMs: Readonly<Partial<Record<Part, number>>> = { 'ovs-vswitchd': 5000, 'ovsdb-server': 5000 }
/** A busy machine of two cores answers a knock this late. */
const usualGapMs = 3500

let cloud: TestCloud
let user: User
let db: Db
let guest: Witness
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  db = await databaseOf(cloud)
  guest = await witness(user, 'witness')
  expect(guest.memory).toMatch(/^MemTotal: +131072 kB$/)
}, 600_000)
afterAll(async () => {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 60_000 })
  expect(await cloud.audit()).toEqual([])
  await db.destroy()
}, 180_000)

async function hostProblem(): Promise<string | null> {
  return (await db('hosts').first('problem'))?.problem ?? null
}

/** All is as before: a new server comes up, every promise is kept, the audit is clean, the witness has not noticed. */
async function healed(fault: string, load: Load): Promise<void> {
  const started = performance.now()
  await load.stop()
  await until(() => user.answers(), { timeoutMs: healMs, what: 'the API to answer' })
  await until(async () => (await hostProblem()) === null, { timeoutMs: healMs, what: 'the host to be well' })
  const probe = await user.running('after')
  const healedMs = performance.now() - started
  await user.change(probe, 'delete')
  const lost = await load.judge(healMs)
  await until(async () => (await user.list()).length === 1, { timeoutMs: healMs })
  const left = await cloud.audit()
  record({ fault, healMs: healedMs, lost: lost.length, left: left.length })
  expect(lost).toEqual([])
  expect(left).toEqual([])
  expect(await birthOf(user, guest.address)).toBe(guest.bornAt)
  expect(await memoryOf(user, guest.address)).toBe(guest.memory)
}

/** What a failed test left does not fail the next one. */
beforeEach(async () => {
  const others = (await user.list()).filter(({ id }) => id !== guest.id)
  for (const { id } of others) await user.change(id, 'delete')
}, 60_000)

describe('killed under load', () => {
  test.each(killed)(
    '%s',
    async (part) => {
      await revive(cloud, part)
      const pid = await until(() => pidOf(cloud, part))
      const load = new Load(user, `killed-${part}`)
      load.start()
      await sleep(workBeforeMs)
      const watching = watch(guest.address)
      process.kill(pid, 'SIGKILL')
      await died(cloud, part, pid)
      await sleep(workBeforeMs)
      await healed(`${part} killed under load`, load)
      expect(await watching.stop()).toBeLessThan(gapMs[part] ?? usualGapMs)
    },
    420_000,
  )
})

/** Parts of the host, whose sleep the agent tells. */
const ofHost: readonly Part[] = ['docker', 'ovs-vswitchd', 'ovsdb-server', 'lxcfs']

describe('frozen under load', () => {
  test.each(frozen)(
    '%s',
    async (part) => {
      const pid = await until(() => pidOf(cloud, part))
      const load = new Load(user, `frozen-${part}`)
      load.start()
      await sleep(workBeforeMs)
      const watching = part === 'ovs-vswitchd' ? null : watch(guest.address)
      const thaw = freeze(part, pid)
      const started = performance.now()
      try {
        if (ofHost.includes(part)) expect(await until(hostProblem, { timeoutMs: frozenMs })).toBeTruthy()
        if (part === 'postgres') {
          const { status, text } = await user.call('GET', '/compute/v2.1/servers', { timeoutMs: 40_000 })
          expect(`${String(status)} ${text}`).toMatch(/^503 .*database does not answer/)
        }
        await sleep(Math.max(0, frozenMs - (performance.now() - started)))
      } finally {
        thaw()
        load.end()
      }
      await healed(`${part} frozen for ${frozenMs / 1000} s under load`, load)
      expect(await until(async () => (await hostProblem()) ?? 'none', { timeoutMs: 30_000 })).toBe('none')
      if (watching) expect(await watching.stop()).toBeLessThan(usualGapMs)
    },
    420_000,
  )
})

test('a second agent of the same host ends within five seconds and names the first', async () => {
  const pid = await until(() => pidOf(cloud, 'agent'))
  const env = await environmentOfService(cloud.site, 'agent')
  const bare = performance.now()
  await execa(process.execPath, [
    '--eval',
    `import('${cloud.site.layout.project}/agent/handlers.ts').then(() => process.exit())`,
  ])
  // A machine busy with other things does not even read the code in five seconds.
  const longestMs = Math.max(5000, 3 * (performance.now() - bare))
  const started = performance.now()
  const second = await execa(process.execPath, [`${cloud.site.layout.project}/agent/main.ts`], {
    env,
    reject: false,
    timeout: 60_000,
  })
  expect(performance.now() - started).toBeLessThan(longestMs)
  expect(second.exitCode).not.toBe(0)
  expect(second.stderr).toMatch(new RegExp(`already run by agent of .* \\(pid ${pid}\\)`))
}, 90_000)
