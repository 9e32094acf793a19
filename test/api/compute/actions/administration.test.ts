/** Actions of administrators, and those that end in a refusal: moves between hosts, consoles, crash dumps. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { addHost, boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
let id: string
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  id = await boot(api)
})
afterAll(async () => {
  await api.stop()
})

type Asker = 'member' | 'admin'

async function act(body: unknown, as: Asker = 'admin', version = '2.1'): Promise<Answer> {
  return await api[as](`POST /compute/v2.1/servers/${id}/action`, { body, version })
}

function said(answer: Answer): readonly [status: number, message: string] {
  return [answer.status, faultIn(answer)[1]]
}

test('an administrator says what a server is, and whatever was going on is over', async () => {
  await place(api.db, id)
  await act({ 'os-stop': null }, 'member')
  expect((await act({ 'os-resetState': { state: 'error' } })).status).toBe(202)
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'error', taskState: null })
  expect((await act({ 'os-resetState': { state: 'active' } })).status).toBe(202)
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'active', taskState: null })
  expect((await act({ 'os-resetState': { state: 'active' } }, 'member')).status).toBe(403)
  for (const wrong of [{ state: 'paused' }, { state: 1 }, {}, { state: 'active', now: true }])
    expect((await act({ 'os-resetState': wrong })).status).toBe(400)
})

test('a password goes to the host with its job, and must be one line', async () => {
  await place(api.db, id)
  expect((await act({ changePassword: { adminPass: 'a\nroot:b' } }, 'member')).status).toBe(400)
  expect((await act({ changePassword: {} }, 'member')).status).toBe(400)
  expect((await act({ changePassword: { adminPass: 'naïve:1' } }, 'member')).status).toBe(202)
  const shown = await api.member(`GET /compute/v2.1/servers/${id}`)
  expect(shown.body).toMatchObject({ server: { status: 'PASSWORD' } })
  expect((await jobsOf(api.db, id)).at(-1)).toMatchObject({
    taskIdentifier: 'host-1/server.change-password',
    payload: { password: 'naïve:1' },
  })
  await place(api.db, id, 'stopped')
  expect(said(await act({ changePassword: { adminPass: 'x' } }, 'member'))).toEqual([
    409,
    `Cannot 'changePassword' instance ${id} while it is in vm_state stopped`,
  ])
})

test('network information is a job of the host; resetNetwork is gone', async () => {
  await place(api.db, id)
  expect((await act({ injectNetworkInfo: null })).status).toBe(202)
  expect((await jobsOf(api.db, id)).at(-1)?.taskIdentifier).toBe('host-1/server.inject-network')
  expect((await act({ resetNetwork: null })).status).toBe(410)
  expect((await act({ injectNetworkInfo: null }, 'member')).status).toBe(403)
})

test('a crash dump is known since 2.17, guarded by the state, and then refused with the reason', async () => {
  await place(api.db, id)
  const body = { trigger_crash_dump: null }
  expect((await act(body, 'admin', '2.16')).status).toBe(404)
  expect(said(await act(body, 'admin', '2.17'))).toEqual([400, expect.stringContaining('not supported')])
  await place(api.db, id, 'stopped')
  expect((await act(body, 'admin', '2.17')).status).toBe(409)
})

test.each([
  ['migrate', { migrate: null }, '2.1', /^No valid host was found\. host-1: the server is on it/],
  ['migrate to its own host', { migrate: { host: 'host-1' } }, '2.56', /Cannot migrate to the host where the server/],
  [
    'migrate to a host that is not there',
    { migrate: { host: 'nope' } },
    '2.56',
    /Compute host nope could not be found/,
  ],
  [
    'live migration',
    { 'os-migrateLive': { host: null, block_migration: false, disk_over_commit: false } },
    '2.1',
    /^No valid host was found/,
  ],
  ['live migration', { 'os-migrateLive': { host: null, block_migration: 'auto' } }, '2.25', /^No valid host was found/],
  ['live migration', { 'os-migrateLive': { host: null, block_migration: 'auto' } }, '2.1', /block_migration|required/],
  ['evacuation', { evacuate: { onSharedStorage: false } }, '2.1', /^Compute service of host-1 is still in use/],
  ['evacuation', { evacuate: { host: 'host-1' } }, '2.14', /The target host can't be the same one/],
  ['evacuation', { evacuate: { onSharedStorage: false } }, '2.14', /'onSharedStorage' was unexpected/],
])('%s of a server of one host is bad input: %j at %s', async (_what, body, version, message) => {
  await place(api.db, id)
  expect(said(await act(body, 'admin', version))).toEqual([400, expect.stringMatching(message)])
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'active', taskState: null })
})

test('moves are refused in other states, and to others than administrators', async () => {
  await place(api.db, id, 'paused')
  expect((await act({ migrate: null })).status).toBe(409)
  expect((await act({ evacuate: { onSharedStorage: false } })).status).toBe(409)
  expect((await act({ migrate: null }, 'member')).status).toBe(403)
  expect((await act({ evacuate: {} }, 'member')).status).toBe(403)
})

test('consoles of kinds that guests have not are refused by name, each where its version has it', async () => {
  await place(api.db, id)
  const vnc = { 'os-getVNCConsole': { type: 'novnc' } }
  expect(said(await act(vnc, 'member'))).toEqual([400, 'Unavailable console type novnc.'])
  expect((await act({ 'os-getVNCConsole': { type: 'telnet' } }, 'member')).status).toBe(400)
  expect((await act(vnc, 'member', '2.6')).status).toBe(404)
  const path = `POST /compute/v2.1/servers/${id}/remote-consoles`
  const body = { remote_console: { protocol: 'serial', type: 'serial' } }
  expect((await api.member(path, { body, version: '2.5' })).status).toBe(404)
  expect(said(await api.member(path, { body, version: '2.6' }))).toEqual([400, 'Unavailable console type serial.'])
  const mks = { remote_console: { protocol: 'mks', type: 'webmks' } }
  expect(said(await api.member(path, { body: mks, version: '2.7' }))[1]).toMatch(/webmks.*is not one of/)
  expect(said(await api.member(path, { body: mks, version: '2.8' }))[1]).toBe('Unavailable console type webmks.')
})

test('a guest’s sealed password is shown to its project, and cleared', async () => {
  const path = `/compute/v2.1/servers/${id}/os-server-password`
  expect((await api.member(`GET ${path}`)).body).toEqual({ password: '' })
  await api.db('servers').where({ id }).update({ sealedPassword: 'c2VhbGVk' })
  expect((await api.reader(`GET ${path}`)).body).toEqual({ password: 'c2VhbGVk' })
  expect((await api.reader(`DELETE ${path}`)).status).toBe(403)
  expect((await api.member(`DELETE ${path}`)).status).toBe(204)
  expect((await api.member(`GET ${path}`)).body).toEqual({ password: '' })
})
