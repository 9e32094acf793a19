/** A machine gives a token for what its agent needs, and gets no more. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import pg from 'pg'
import { z } from 'zod'
import { connect } from '../../../db/connect.ts'
import { heartbeat, registerHost, type HostReport } from '../../../db/hosts.ts'
import { place, sendBack } from '../../../db/placement.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { addHost, boot, dropAgentRoles, faultIn, startApi, type Answer, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi({ postgresAddress: '192.0.2.1', registryUrl: '192.0.2.1:5010', registryPassword: 'a password' })
  await addHost(api.db, 'host-1')
})
afterAll(async () => {
  await dropAgentRoles(api.db)
  await api.stop()
})

const given = z.object({ token: z.string(), expires_at: z.iso.datetime(), url: z.string() })
async function newToken(body: unknown = {}): Promise<string> {
  const { status, body: told } = await api.admin('POST /berth/v1/join-tokens', { body })
  expect(status).toBe(201)
  return given.parse(told).token
}
const join = (token: string, name: string): Promise<Answer> =>
  api.nobody('POST /berth/v1/join', { body: { token, host_name: name } })

const settings = z.object({ settings: z.object({ databaseUrl: z.string() }) })
/** The database of the test answers on loopback alone. */
function urlIn({ body }: Answer): string {
  const url = new URL(settings.parse(body).settings.databaseUrl)
  expect(url.hostname).toBe('192.0.2.1')
  url.hostname = '127.0.0.1'
  return url.href
}

test('a token makes one machine a host; the next one with it is refused', async () => {
  const token = await newToken()
  const first = await join(token, 'rack2-07')
  expect(first).toMatchObject({
    status: 200,
    body: { settings: { registryUrl: '192.0.2.1:5010', registryPassword: 'a password', region: 'RegionOne' } },
  })
  const second = await join(token, 'rack2-08')
  expect([second.status, faultIn(second)[1]]).toEqual([403, expect.stringContaining('was used, or has expired')])
})

const report: Omit<HostReport, 'name'> = {
  vcpus: 4,
  memoryMiB: 8192,
  diskGiB: 100,
  cpuRatio: 4,
  memoryRatio: 1,
  diskRatio: 1,
  reservedVcpus: 0,
  reservedMemoryMiB: 512,
  reservedDiskGiB: 0,
  rack: null,
  hypervisorType: 'docker',
  hypervisorVersion: '27.5.1',
  traits: {},
  agentUrl: 'http://192.0.2.9:8776',
  agentToken: 'of the agent',
}

/** A server that its host is to build, by a job with a password in it. */
async function bootOn(host: string): Promise<string> {
  const serverId = await boot(api)
  const payload = { serverId, requestId: 'req-1', adminPassword: `of ${host}` }
  const size = { vcpus: 1, memoryMiB: 512, diskGiB: 1 }
  expect(await place(api.db, { serverId, host, ...size, task: `${host}/server.create`, payload })).toBe(true)
  return serverId
}

test('the role of a host does what its agent does, and sees nothing of who may log in', async () => {
  const db = connect(urlIn(await join(await newToken(), 'rack2-09')), { size: 1, name: 'agent' })
  try {
    await registerHost(db, { ...report, name: 'rack2-09' })
    expect((await db('hosts').pluck('name')).toSorted()).toEqual(['host-1', 'rack2-09'])
    await heartbeat(db, 'rack2-09', null)
    await db.raw(`select graphile_worker.add_job('host-1/server.expect', '{}'::json)`)
    for (const table of ['users', 'tokens', 'application_credentials', 'role_assignments', 'join_tokens'] as const)
      await expect(db(table).first()).rejects.toThrow(/permission denied/)
    for (const table of ['projects', 'keypairs', 'flavors', 'quotas', 'security_groups', 'agent_roles'] as const) {
      await db(table).first()
      await expect(db(table).delete()).rejects.toThrow(/permission denied/)
    }
    await expect(db.raw('create table mine (id int)')).rejects.toThrow(/permission denied/)
  } finally {
    await db.destroy()
    await api.db.raw('delete from graphile_worker._private_jobs')
  }
})

test('it changes its own host and its own servers, and nothing of the others: not their rows, jobs or passwords', async () => {
  const db = connect(urlIn(await join(await newToken(), 'rack2-14')), { size: 1, name: 'agent' })
  try {
    await registerHost(db, { ...report, name: 'rack2-14' })
    const [own, other] = [await bootOn('rack2-14'), await bootOn('host-1')]
    await heartbeat(db, 'host-1', 'broken')
    expect(await api.db('hosts').where({ name: 'host-1' }).first('problem')).toEqual({ problem: null })
    await expect(registerHost(db, { ...report, name: 'host-2' })).rejects.toThrow(/row-level security/)
    expect(await db('hosts').where({ name: 'host-1' }).delete()).toBe(0)
    const passwords = await db.raw<{ rows: { password: string }[] }>(
      `select payload->>'adminPassword' as password from graphile_worker._private_jobs`,
    )
    expect(passwords.rows.map(({ password }) => password)).toEqual(['of rack2-14'])
    expect(await db('servers').where({ id: other }).update({ host: 'rack2-14' })).toBe(0)
    expect(await db('servers').where({ id: own }).update({ powerState: 1 })).toBe(1)
    await db.transaction((trx) => sendBack(trx, own, 'rack2-14', 'no room'))
    await db.transaction((trx) =>
      enqueue(trx, 'schedule', { serverId: own, requestId: 'req-1', adminPassword: 'of rack2-14' }),
    )
    expect(await api.db('hosts').where({ name: 'rack2-14' }).first('servers')).toEqual({ servers: 0 })
  } finally {
    await db.destroy()
    await api.db.raw('delete from graphile_worker._private_jobs')
  }
})

test('a host that joins again has a new password; one that is forgotten has none', async () => {
  await addHost(api.db, 'rack2-10')
  await api.db('hosts').where({ name: 'rack2-10' }).update({ isForcedDown: true })
  const [before, after] = [
    urlIn(await join(await newToken(), 'rack2-10')),
    urlIn(await join(await newToken(), 'rack2-10')),
  ]
  const opens = async (url: string): Promise<boolean> => {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return true
    } catch {
      return false
    } finally {
      await client.end()
    }
  }
  expect([await opens(before), await opens(after)]).toEqual([false, true])
  const { id } = (await api.db('hosts').where({ name: 'rack2-10' }).first('id')) ?? { id: '' }
  expect((await api.admin(`DELETE /compute/v2.1/os-services/${id}`, { version: '2.53' })).status).toBe(204)
  expect(await opens(after)).toBe(false)
})

test('a machine asks first what it must reach, and its token is still good', async () => {
  const [token, port] = [await newToken(), new URL(api.databaseUrl).port]
  const asked = { host_name: 'rack2-06', check_only: true }
  const ask = (words: object): Promise<Answer> => api.nobody('POST /berth/v1/join', { body: { ...asked, ...words } })
  expect(await ask({ token })).toMatchObject({
    status: 200,
    body: { reach: { database: `192.0.2.1:${port}`, registry: '192.0.2.1:5010' } },
  })
  expect((await ask({ token: 'guessed' })).status).toBe(403)
  expect((await ask({ token, host_name: 'host-1' })).status).toBe(409)
  expect((await join(token, 'rack2-06')).status).toBe(200)
  expect((await ask({ token })).status).toBe(403)
})

test('the name of a host that is alive is refused, and the token is still good', async () => {
  const token = await newToken()
  const taken = await join(token, 'host-1')
  expect([taken.status, faultIn(taken)[1]]).toEqual([409, expect.stringContaining('join under another name')])
  expect((await join(token, 'rack2-11')).status).toBe(200)
})

test('a token that has expired, or never was, opens nothing; members get none', async () => {
  const token = await newToken({ hours: 0.5 })
  await api.db('join_tokens').update({ expiresAt: new Date(Date.now() - 1000) })
  expect((await join(token, 'rack2-12')).status).toBe(403)
  expect((await join('guessed', 'rack2-12')).status).toBe(403)
  expect((await api.member('POST /berth/v1/join-tokens', { body: {} })).status).toBe(403)
  expect((await api.admin('POST /berth/v1/join-tokens', { body: { hours: 1000 } })).status).toBe(400)
})

test('a database that answers on loopback alone is said, and the token is still good', async () => {
  const alone = await startApi()
  try {
    const { body } = await alone.admin('POST /berth/v1/join-tokens', { body: {} })
    const answer = await alone.nobody('POST /berth/v1/join', {
      body: { token: given.parse(body).token, host_name: 'rack2-13' },
    })
    expect(faultIn(answer)[1]).toContain('set postgresAddress')
    expect(await alone.db('join_tokens').whereNull('usedAt')).toHaveLength(1)
  } finally {
    await alone.stop()
  }
})
