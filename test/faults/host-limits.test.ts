/** What all guests of a host share runs out: its memory, and its processes. No new guest comes, those that run are unharmed. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Db } from '../../db/connect.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { record } from './record.ts'
import { databaseOf } from './services.ts'
import { User } from './user.ts'
import { birthOf, witness, type Witness } from './witness.ts'

const root = '/sys/fs/cgroup'
const isUnified = existsSync(join(root, 'cgroup.controllers'))
const mib = 1024 * 1024
/** From the moment when there is room again, on a machine that others use too. */
const healMs = 15_000

let cloud: TestCloud
let user: User
let db: Db
let guest: Witness
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  db = await databaseOf(cloud)
  guest = await witness(user, 'guest')
}, 600_000)
afterAll(async () => {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 120_000 })
  expect(await cloud.audit()).toEqual([])
  await db.destroy()
}, 180_000)

/** The control group in which all guests of the host are. */
function groupOf(controller: 'memory' | 'pids'): string {
  return join(root, isUnified ? '' : controller, cloud.site.config.namePrefix)
}

function numberIn(path: string): number {
  return Number(readFileSync(path, 'utf8'))
}

async function problem(): Promise<string> {
  return (await db('hosts').first('problem'))?.problem ?? ''
}

/** A process beside the guests, in the group that they share. */
function startIn(group: string, command: string): void {
  const words = ['-c', `echo $$ > ${join(group, 'cgroup.procs')}; ${command}`]
  execa('setsid', ['sh', ...words], { stdio: 'ignore', reject: false }).catch(() => undefined)
}

async function killAllIn(group: string): Promise<void> {
  await until(
    () => {
      const pids = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // It ended meanwhile.
        }
      }
      return pids.length === 0
    },
    { timeoutMs: 20_000, what: `${group} to be empty` },
  )
}

interface Limit {
  readonly fault: string
  readonly controller: 'memory' | 'pids'
  readonly file: string
  readonly used: string
  /** how much more than now there may be */
  readonly more: number
  /** takes it, run by a shell that is in the group; LIMIT and USED are the paths of both numbers */
  readonly taker: string
}

const limits: readonly Limit[] = [
  {
    fault: 'memory of the host full',
    controller: 'memory',
    file: isUnified ? 'memory.max' : 'memory.limit_in_bytes',
    used: isUnified ? 'memory.current' : 'memory.usage_in_bytes',
    more: 500 * mib,
    taker: `exec ${process.execPath} -e "
      const { readFileSync } = require('node:fs')
      const held = []
      const rest = () => Number(readFileSync('LIMIT')) - Number(readFileSync('USED'))
      const take = () => { while (rest() > ${48 * mib}) held.push(Buffer.alloc(${4 * mib}, 1)) }
      take()
      // What the kernel wins back by forgetting files is taken as well.
      setInterval(take, 100)"`,
  },
  {
    fault: 'processes of the host full',
    controller: 'pids',
    file: 'pids.max',
    used: 'pids.current',
    more: 260,
    taker: 'for one in $(seq 400); do sleep 1000 & done; wait',
  },
]

test.each(limits)(
  '$fault: a create is refused with where, the guest that runs is unharmed, and all is well when there is room again',
  async ({ fault, controller, file, used, more, taker }) => {
    const group = groupOf(controller)
    const [limit, usage] = [join(group, file), join(group, used)]
    const before = readFileSync(limit, 'utf8').trim()
    const working = await user.ssh(guest.address, 'nohup sleep 4242 > /dev/null 2>&1 < /dev/null & echo $!')
    expect(working).toMatch(/^\d+$/)
    writeFileSync(limit, String(numberIn(usage) + more))
    try {
      startIn(group, taker.replace('LIMIT', limit).replace('USED', usage))
      await until(async () => (await problem()).includes(group), { timeoutMs: 60_000, what: 'the problem' })
      const { status } = await user.create('refused')
      expect(status).toBe(202)
      const refused = await until(async () => (await user.named('refused'))[0]?.fault?.message, { timeoutMs: 60_000 })
      expect(refused).toMatch(new RegExp(`for guests, ${group}, .* are kept`))
      expect((await user.show(guest.id))?.status).toBe('ACTIVE')
    } finally {
      await killAllIn(group)
      writeFileSync(limit, isUnified || controller === 'pids' ? 'max' : before)
    }
    const started = performance.now()
    await until(async () => (await problem()) === '', { timeoutMs: 60_000, what: 'the host to be well' })
    const ms = performance.now() - started
    const probe = await user.running('after')
    await user.change(probe, 'delete')
    await user.reaches(probe, 'gone')
    expect(await birthOf(user, guest.address)).toBe(guest.bornAt)
    expect(await user.ssh(guest.address, `kill -0 ${working ?? ''} && echo alive`)).toBe('alive')
    for (const { id } of await user.named('refused')) await user.change(id, 'delete')
    const left = await cloud.audit()
    record({ fault, healMs: ms, lost: 0, left: left.length })
    expect(left).toEqual([])
    expect(ms).toBeLessThan(healMs)
  },
  240_000,
)
