/** At each step of each change the process that works on it is killed: what was asked for is true half a minute later all the same. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { failpoints, type Failpoint } from '../../core/failpoints.ts'
import type { Db } from '../../db/connect.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { isFull, record } from './record.ts'
import { databaseOf, died, pidOf, revive } from './services.ts'
import { User, type Change, type Reply } from './user.ts'

const plain = ['delete', 'start', 'stop', 'reboot'] as const
/** In which changes a process comes by each point; a forgotten one does not compile. */
const occurs = {
  'api.create.written': ['create'],
  'api.create.committed': ['create'],
  'api.change.written': plain,
  'api.change.committed': plain,
  'scheduler.create.chosen': ['create'],
  'scheduler.create.committed': ['create'],
  'scheduler.delete.begun': [],
  'scheduler.delete.committed': [],
  'agent.create.begun': ['create'],
  'agent.create.namespace': ['create'],
  'agent.create.wires': ['create'],
  'agent.create.image': ['create'],
  'agent.create.container': ['create'],
  'agent.create.spec': ['create'],
  'agent.create.start': ['create'],
  'agent.create.finished': ['create'],
  'agent.delete.begun': ['delete'],
  'agent.delete.guest': ['delete'],
  'agent.delete.wires': ['delete'],
  'agent.delete.namespace': ['delete'],
  'agent.delete.spec': ['delete'],
  'agent.delete.committed': ['delete'],
  'agent.change.begun': ['start', 'stop', 'reboot'],
  'agent.power.stopped': ['stop', 'reboot'],
  'agent.power.wires': ['start', 'reboot'],
  'agent.power.started': ['start', 'reboot'],
  // Between two hosts: test/journeys/hosts.test.ts.
  'agent.expect.begun': [],
  'agent.disk.read': [],
  'agent.migrate.stopped': [],
  'agent.migrate.pushed': [],
  'agent.migrate.left': [],
  'agent.land.built': [],
  'agent.replace.aside': [],
  'agent.replace.prepared': [],
  'agent.snapshot.captured': [],
  'agent.change.finished': ['start', 'stop', 'reboot'],
} as const satisfies Record<Failpoint, readonly Change[]>

/** One of each process and of each kind of step, for a run with little time. */
const quick = new Set<string>([
  'api.create.committed create',
  'api.change.written stop',
  'scheduler.create.committed create',
  'agent.create.container create',
  'agent.create.finished create',
  'agent.power.stopped reboot',
  'agent.delete.wires delete',
  'agent.delete.committed delete',
])

const order: readonly Change[] = ['create', 'stop', 'start', 'reboot', 'delete']
const cases = order.flatMap((change) =>
  failpoints
    .filter((point) => occurs[point].some((one) => one === change))
    .map((point) => ({ point, change }))
    .filter(({ point }) => isFull || quick.has(`${point} ${change}`)),
)
const healMs = 30_000

let cloud: TestCloud
let user: User
let db: Db
let directory = ''
/** servers that are ACTIVE, for changes to work on */
const stock: string[] = []
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  db = await databaseOf(cloud)
  directory = join(cloud.site.layout.home, 'tmp', 'failpoints')
  mkdirSync(directory, { recursive: true })
}, 600_000)
afterAll(async () => {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 60_000 })
  expect(await cloud.audit()).toEqual([])
  await db.destroy()
}, 120_000)

async function active(): Promise<string> {
  return stock.at(-1) ?? (stock[0] = await user.running('stock'))
}

/** The server in the state from which the change begins. */
async function prepare(change: Change): Promise<string> {
  if (change === 'create') return ''
  const id = await active()
  if (change === 'delete') stock.pop()
  if (change === 'start') {
    await user.change(id, 'stop')
    await user.reaches(id, 'SHUTOFF')
  }
  return id
}

/** A create can be repeated by its name. */
async function ask(change: Change, id: string, name: string): Promise<Reply> {
  return change === 'create' ? await user.create(name, { 'Idempotency-Key': name }) : await user.change(id, change)
}

const ends = { create: 'ACTIVE', delete: 'gone', start: 'ACTIVE', stop: 'SHUTOFF', reboot: 'ACTIVE' } as const
const begins = { delete: 'ACTIVE', start: 'SHUTOFF', stop: 'ACTIVE', reboot: 'ACTIVE' } as const

/** As a client does that got no reply: there is one server then, whether the first request was written down or not. */
async function repeat(name: string): Promise<void> {
  const before = (await user.named(name)).map(({ id }) => id)
  const { status } = await ask('create', '', name)
  expect(status).toBe(202)
  const after = (await user.named(name)).map(({ id }) => id)
  expect(after).toHaveLength(1)
  expect(before.filter((id) => !after.includes(id))).toEqual([])
}

/** Where the server is to end. What was not committed was never asked for. */
async function settle(
  point: Failpoint,
  change: keyof typeof ends,
  { id, name }: { id: string; name: string },
): Promise<void> {
  const isUnasked = point === 'api.create.written' || point === 'api.change.written'
  if (change !== 'create') {
    await user.reaches(id, isUnasked ? begins[change] : ends[change], healMs)
    return
  }
  const made = await until(async () => ({ all: await user.named(name) }), { timeoutMs: healMs })
  expect(made.all).toHaveLength(isUnasked ? 0 : 1)
  if (point.startsWith('api.')) await repeat(name)
  for (const one of await user.named(name)) {
    await user.reaches(one.id, 'ACTIVE', healMs)
    stock.push(one.id)
  }
}

/** Back to ACTIVE for the next change. */
async function restore(id: string): Promise<void> {
  if (id === '' || !stock.includes(id)) return
  if ((await user.show(id))?.status !== 'SHUTOFF') return
  await user.change(id, 'start')
  await user.reaches(id, 'ACTIVE')
}

describe('a killed process', () => {
  test.each(cases)(
    'at $point of a $change',
    async ({ point, change }) => {
      const id = await prepare(change)
      const [service = ''] = point.split('.')
      await revive(cloud, service)
      const pid = await until(() => pidOf(cloud, service))
      writeFileSync(join(directory, point), '')
      const name = `at-${point}`
      const { status } = await ask(change, id, name)
      await died(cloud, service, pid)
      expect(existsSync(join(directory, point))).toBe(false)
      expect(status === null).toBe(service === 'api')
      await revive(cloud, service)
      const started = performance.now()
      if (change !== 'reboot-hard') await settle(point, change, { id, name })
      const healed = performance.now() - started
      const left = await cloud.audit()
      record({ fault: `killed at ${point}`, healMs: healed, lost: 0, left: left.length })
      expect(left).toEqual([])
      await restore(id)
    },
    180_000,
  )
})

describe('a server without a host', () => {
  test.each(['scheduler.delete.begun', 'scheduler.delete.committed'] as const)(
    'at %s of a delete',
    async (point) => {
      await db('hosts').update({ isEnabled: false })
      expect((await user.create('unplaced')).status).toBe(202)
      const [made] = await user.named('unplaced')
      const id = made?.id ?? ''
      await user.reaches(id, 'ERROR', healMs)
      await db('hosts').update({ isEnabled: true })
      const pid = await until(() => pidOf(cloud, 'scheduler'))
      writeFileSync(join(directory, point), '')
      await user.change(id, 'delete')
      await died(cloud, 'scheduler', pid)
      await revive(cloud, 'scheduler')
      const started = performance.now()
      await user.reaches(id, 'gone', healMs)
      const left = await cloud.audit()
      record({ fault: `killed at ${point}`, healMs: performance.now() - started, lost: 0, left: left.length })
      expect(left).toEqual([])
    },
    180_000,
  )
})
