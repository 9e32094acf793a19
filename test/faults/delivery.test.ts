/** A queue may deliver a job twice, late, or after a later one: each effect happens once. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { JobName } from '../../core/jobs.ts'
import type { Db } from '../../db/connect.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { record } from './record.ts'
import { databaseOf } from './services.ts'
import { User } from './user.ts'
import { birthOf, witness, type Witness } from './witness.ts'

let cloud: TestCloud
let user: User
let db: Db
let guest: Witness
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  db = await databaseOf(cloud)
  guest = await witness(user, 'delivered')
}, 600_000)
afterAll(async () => {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 60_000 })
  expect(await cloud.audit()).toEqual([])
  await db.destroy()
}, 180_000)

/** The same job again, as a queue that heard no end of it would. */
async function deliver(name: JobName, { serverId, host }: { serverId: string; host?: string }): Promise<void> {
  const payload = { serverId, requestId: `req-${randomUUID()}`, adminPassword: null }
  await db.transaction((trx) => enqueue(trx, name, payload, host))
}

async function hostOf(serverId: string): Promise<string> {
  return (await db('servers').where({ id: serverId }).first('host'))?.host ?? ''
}

/** Nothing waits in the queue, and nothing is at work. */
async function settled(): Promise<void> {
  await until(
    async () => {
      const { rows } = await db.raw<{ rows: { job: string }[] }>(
        'select task_identifier || coalesce($$: $$ || last_error, $$$$) as job from graphile_worker.jobs',
      )
      if (rows.length > 0) throw new Error(`still to do: ${rows.map(({ job }) => job).join(', ')}`)
      return true
    },
    { timeoutMs: 60_000, what: 'the queue to be empty' },
  )
}

const late: readonly JobName[] = [
  'schedule',
  'server.create',
  'server.stop',
  'server.start',
  'server.reboot',
  'server.reboot-hard',
  'server.pause',
  'server.suspend',
  'server.delete',
]

test('jobs of changes that are long over do nothing to a server that runs', async () => {
  const started = performance.now()
  const host = await hostOf(guest.id)
  for (const name of late) await deliver(name, { serverId: guest.id, ...(name === 'schedule' ? {} : { host }) })
  await settled()
  await user.reaches(guest.id, 'ACTIVE')
  expect(await birthOf(user, guest.address)).toBe(guest.bornAt)
  const left = await cloud.audit()
  record({ fault: 'jobs delivered late', healMs: performance.now() - started, lost: 0, left: left.length })
  expect(left).toEqual([])
}, 180_000)

test('a job that is delivered three times at once takes effect once', async () => {
  const started = performance.now()
  const host = await hostOf(guest.id)
  await user.change(guest.id, 'reboot-hard')
  for (let i = 0; i < 3; i++) await deliver('server.reboot-hard', { serverId: guest.id, host })
  await settled()
  await user.reaches(guest.id, 'ACTIVE')
  const bornAt = await birthOf(user, guest.address)
  expect(bornAt).not.toBe(guest.bornAt)
  const { rows } = await db.raw<{ rows: { count: number }[] }>(
    `select count(*)::int as count from server_action_events e join server_actions a on a.id = e.action_id
     where a.server_id = ? and a.action = 'reboot'`,
    [guest.id],
  )
  expect(rows[0]?.count).toBe(1)
  record({ fault: 'a job delivered three times', healMs: performance.now() - started, lost: 0, left: 0 })
}, 180_000)

test('hard reboots that are asked for together all have a result', async () => {
  const asked = await Promise.all([1, 2, 3].map(() => user.change(guest.id, 'reboot-hard')))
  expect(asked.map(({ status }) => status)).toEqual([202, 202, 202])
  await settled()
  await user.reaches(guest.id, 'ACTIVE')
  const results = await db('serverActions as a')
    .leftJoin('serverActionEvents as e', 'e.actionId', 'a.id')
    .where({ serverId: guest.id, action: 'reboot' })
    .orderBy('a.id', 'desc')
    .limit(3)
    .select('e.result')
  expect(results).toEqual([1, 2, 3].map(() => ({ result: 'Success' })))
  expect(await cloud.audit()).toEqual([])
}, 180_000)

test('a create whose delete is delivered first leaves nothing', async () => {
  const started = performance.now()
  expect((await user.create('gone-before')).status).toBe(202)
  const [made] = await user.named('gone-before')
  const id = made?.id ?? ''
  await user.change(id, 'delete')
  const host = await hostOf(id)
  if (host !== '') await deliver('server.create', { serverId: id, host })
  await deliver('schedule', { serverId: id })
  await settled()
  await user.reaches(id, 'gone')
  await deliver('server.delete', { serverId: id })
  await settled()
  expect(await user.named('gone-before')).toEqual([])
  const left = await cloud.audit()
  record({ fault: 'jobs out of order', healMs: performance.now() - started, lost: 0, left: left.length })
  expect(left).toEqual([])
}, 180_000)
