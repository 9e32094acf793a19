/** The agent is killed in the middle of what it does to a server's disk: the disk is whole afterwards, and what was asked for is true. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import type { Failpoint } from '../../core/failpoints.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { isFull, record } from './record.ts'
import { died, pidOf, revive } from './services.ts'
import { addressOf, User } from './user.ts'

const healMs = 60_000
const file = '/root/precious'

let cloud: TestCloud
let user: User
let directory = ''
let id = ''
let address = ''
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  directory = join(cloud.site.layout.home, 'tmp', 'failpoints')
  mkdirSync(directory, { recursive: true })
  id = await user.running('disk')
  const seen = await user.show(id)
  address = seen ? addressOf(seen) : ''
  await said(`echo kept > ${file}; sync`)
}, 600_000)
afterAll(async () => {
  await user.change(id, 'delete')
  await user.reaches(id, 'gone')
  expect(await cloud.audit()).toEqual([])
}, 120_000)

async function said(command: string): Promise<string> {
  return await until(() => user.ssh(address, command), { timeoutMs: healMs, what: `an answer of ${address}` })
}

async function act(body: unknown): Promise<string> {
  const { status, text } = await user.call('POST', `/compute/v2.1/servers/${id}/action`, {
    body,
    headers: { 'openstack-api-version': 'compute 2.45' },
  })
  expect([200, 202]).toContain(status)
  return text
}

/** The agent dies once at the point while it does what is asked. */
async function killedAt(point: Failpoint, body: unknown): Promise<string> {
  await revive(cloud, 'agent')
  const pid = await until(() => pidOf(cloud, 'agent'))
  writeFileSync(join(directory, point), '')
  const text = await act(body)
  await died(cloud, 'agent', pid)
  await revive(cloud, 'agent')
  return text
}

/** @returns after how long */
async function settles(status: string): Promise<number> {
  const started = performance.now()
  await user.reaches(id, status, healMs)
  return performance.now() - started
}

async function told(fault: string, healed: number): Promise<void> {
  const left = await cloud.audit()
  record({ fault, healMs: healed, lost: 0, left: left.length })
  expect(left).toEqual([])
}

const points: readonly Failpoint[] = isFull
  ? ['agent.change.begun', 'agent.replace.aside', 'agent.replace.prepared', 'agent.change.finished']
  : ['agent.replace.aside']

test.each(points)(
  'a rescue whose agent is killed at %s is one, and the server has its disk back after it',
  async (point) => {
    await killedAt(point, { rescue: {} })
    const healed = await settles('RESCUE')
    expect(await said(`cat /mnt${file}; test -e ${file} || echo elsewhere`)).toBe('kept\nelsewhere')
    await killedAt('agent.change.begun', { unrescue: null })
    await settles('ACTIVE')
    expect(await said(`cat ${file}`)).toBe('kept')
    await told(`rescue killed at ${point}`, healed)
  },
  300_000,
)

test('an image whose agent is killed when the disk is copied is made all the same', async () => {
  const { image_id } = z
    .object({ image_id: z.uuid() })
    .parse(JSON.parse(await killedAt('agent.snapshot.captured', { createImage: { name: 'shot' } })))
  const healed = await settles('ACTIVE')
  const { text } = await user.call('GET', `/image/v2/images/${image_id}`)
  expect(JSON.parse(text)).toMatchObject({ status: 'active', name: 'shot' })
  await told('image killed when captured', healed)
}, 300_000)

test('a server whose agent is killed while it is shelved, and while it comes back, has its disk', async () => {
  await killedAt('agent.delete.wires', { shelve: null })
  const healed = await settles('SHELVED_OFFLOADED')
  await killedAt('agent.create.container', { unshelve: null })
  await settles('ACTIVE')
  expect(await said(`cat ${file}`)).toBe('kept')
  await told('shelve killed when half gone', healed)
}, 300_000)

test.each(
  isFull ? (['agent.replace.aside', 'agent.replace.prepared'] as const) : (['agent.replace.prepared'] as const),
)(
  'a rebuild whose agent is killed at %s ends with the new disk, and nothing of the old',
  async (point) => {
    const { text } = await user.call('GET', '/image/v2/images?name=debian-12-small')
    const [image] = z.object({ images: z.array(z.object({ id: z.string() })) }).parse(JSON.parse(text)).images
    await killedAt(point, { rebuild: { imageRef: image?.id } })
    const healed = await settles('ACTIVE')
    expect(await said(`test -e ${file} || echo new`)).toBe('new')
    await told(`rebuild killed at ${point}`, healed)
  },
  300_000,
)
