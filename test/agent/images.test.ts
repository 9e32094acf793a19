/** Images on a host and in a registry, looked after as an agent does it, on a real engine and a registry of the test's own. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { pino } from 'pino'
import { extract, pack, type Header } from 'tar-stream'
import { stringify } from 'yaml'
import { z } from 'zod'
import { settings } from '../../core/config.ts'
import { Flattener } from '../../agent/flatten.ts'
import { ImageBringer, sweepHost, type ImageHost } from '../../agent/image-care.ts'
import { captureDirectory } from '../../agent/save-image.ts'
import { endKilledSweep, sweepRegistry } from '../../agent/registry-sweep.ts'
import { Turns } from '../../agent/turns.ts'
import { digestIn, hostsWithImage } from '../../db/host-images.ts'
import { wishImage } from '../../db/image-care.ts'
import { activateImage, deleteImage, insertImage } from '../../db/new-images.ts'
import { whileWriting } from '../../db/registry-writers.ts'
import { DockerDriver } from '../../driver/docker/driver.ts'
import { plainConfig, putChild, readImage, type StoredImage } from '../../registry/image.ts'
import { configType, manifestShape } from '../../registry/manifest.ts'
import { Registry } from '../../registry/registry.ts'
import { addHost, boot, place, startApi, type TestApi } from '../api/fixture.ts'
import { docker, until } from '../world/index.ts'

const address = '127.0.0.1:5031'
let home: string
let serving: ReturnType<typeof serve>
let store: Registry
let api: TestApi
let host: ImageHost
const none = new AbortController().signal

/** What an agent has just after its start: it was asked for nothing yet. */
async function freshHost(more: Readonly<Record<string, unknown>> = {}): Promise<ImageHost> {
  const driver = new DockerDriver({ ...(await docker()), lxcfsDir: null, sources: (one) => asked(one) })
  const care = { imageIdleHours: 0, registryKeepHours: 0, imageLayers: 4, ...more }
  const config = settings.parse({ home, registryPort: 5031, ...care })
  const log = pino({ level: 'silent' })
  return { name: 'host-1', config, db: api.db, driver, registry: store, log, turns: new Turns(1) }
}

function asked(reference: string): Promise<readonly { reference: string; authconfig: null }[]> {
  return Promise.resolve([{ reference, authconfig: null }])
}

function serve(file: string) {
  return execa('docker-registry', ['serve', file], { reject: false })
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'care-'))
  await mkdir(join(home, 'registry'))
  const file = join(home, 'registry', 'config.yml')
  const storage = { filesystem: { rootdirectory: join(home, 'registry', 'data') }, delete: { enabled: true } }
  await writeFile(file, stringify({ version: 0.1, log: { level: 'error' }, storage, http: { addr: address } }))
  serving = serve(file)
  store = new Registry({ address, isSecure: false, ca: null, credentials: null })
  await until(() => store.answers(1000), { timeoutMs: 30_000 })
  api = await startApi({ home }, { registry: store })
  await addHost(api.db, 'host-1')
  host = await freshHost()
}, 180_000)
afterAll(async () => {
  for (const reference of await host.driver.images())
    if (reference.startsWith(address)) await (await freshHost()).driver.removeImage(digestIn(reference), () => true)
  await api.stop()
  serving.kill()
  await serving
  await rm(home, { recursive: true })
}, 60_000)

type Entry = Partial<Header> & Pick<Header, 'name'> & { readonly content?: string | Buffer }

function archiveOf(entries: readonly Entry[]): Readable {
  const archive = pack()
  for (const { content, ...header } of entries) archive.entry(header, content ?? '')
  archive.finalize()
  return Readable.from(archive)
}

const labels = { 'berth.init': 'runit', 'org.example.kept': 'yes' }

/** An image of one layer, that an engine takes. */
async function put(name: string, entries: readonly Entry[]): Promise<string> {
  const config = { ...plainConfig(), config: { Cmd: ['/sbin/init'], Env: ['KEPT=1'], WorkingDir: '/srv' } }
  const manifest = manifestShape.parse({
    schemaVersion: 2,
    config: { mediaType: configType, digest: '', size: 0 },
    layers: [],
  })
  const nothing: StoredImage = { repository: store.repository(name), manifest, config }
  const change = { archive: archiveOf(entries), isWhole: true, createdBy: 'test', labels }
  return await putChild(nothing, store.repository(name), change)
}

async function putOn(parent: string, name: string, entries: readonly Entry[]): Promise<string> {
  const change = { archive: archiveOf(entries), isWhole: false, createdBy: 'test', labels: {} }
  return await putChild(await readImage(store, parent), store.repository(name), change)
}

/** The row of an image that has these bytes. */
async function row(
  reference: string,
  more: { visibility?: 'public' | 'private'; layers?: number; serverId?: string } = {},
) {
  const { visibility = 'private', layers = 1, serverId = null } = more
  const { id } = await insertImage(api.db, { projectId: 'project-shop', name: 'x', visibility, serverId })
  await activateImage(api.db, id, { reference, sizeBytes: 1, layers, fileDigest: null, checksum: null, sha512: null })
  return id
}

async function isHere(reference: string): Promise<boolean> {
  return (await host.driver.images()).some((one) => one.endsWith(digestIn(reference)))
}

async function isStored(reference: string): Promise<boolean> {
  return (await store.repository(store.of(reference).repository.name).tags()).includes(
    digestIn(reference).replace(':', '-'),
  )
}

const bytes = (size: number): Entry => ({ name: 'etc/bytes', content: randomBytes(size) })

test('public images and those wished for are brought to a host, others are not', async () => {
  await api.db('images').delete()
  const [shown, wished, other] = [
    await put('images/shown', [bytes(10)]),
    await put('images/wished', [bytes(11)]),
    await put('images/other', [bytes(12)]),
  ]
  await row(shown, { visibility: 'public' })
  await wishImage(api.db, await row(wished), ['host-1'])
  await row(other)
  await new ImageBringer(host).look(none)
  expect(await Promise.all([shown, wished, other].map(isHere))).toEqual([true, true, false])
  expect(await hostsWithImage(api.db, wished)).toEqual(['host-1'])
}, 60_000)

test('an image that nothing has needed leaves the host; one that a row, a server or a creation needs stays', async () => {
  const [idle, used, asked] = [
    await put('images/idle', [bytes(300_000)]),
    await put('images/used', [bytes(13)]),
    await put('images/asked', [bytes(14)]),
  ]
  await api.db('images').delete()
  const shown = await put('images/shown', [bytes(15)])
  const shownId = await row(shown, { visibility: 'public' })
  for (const one of [idle, used, asked, shown]) await host.driver.ensureImage(one)
  const server = await boot({ ...api, imageId: shownId })
  await place(api.db, server)
  await api.db('servers').where({ id: server }).update({ imageReference: used })
  const later = await freshHost()
  await later.driver.ensureImage(asked)
  const patient = await sweepHost(await freshHost({ imageIdleHours: 1 }), false)
  expect(patient.removed).toEqual([])
  const told = await sweepHost(later, true)
  expect(told.removed).toEqual(expect.arrayContaining([digestIn(idle), digestIn(asked)]))
  expect(await isHere(idle)).toBe(true)
  const done = await sweepHost(later, false)
  expect(done.removed).toContain(digestIn(idle))
  expect(done.in_use).toEqual([digestIn(asked)])
  expect(done.bytes).toBeGreaterThanOrEqual(300_000)
  expect(await Promise.all([idle, used, asked, shown].map(isHere))).toEqual([false, true, true, true])
  await api.db('servers').where({ id: server }).update({ deletedAt: new Date() })
}, 90_000)

test('what nothing refers to leaves the registry with its bytes; layers that others have stay', async () => {
  await api.db('images').delete()
  const base = await put('images/base', [bytes(200_000)])
  const child = await putOn(base, 'images/0a8ee05a-67a4-4d27-b30e-4efcd29b3b1c', [
    { name: 'root/new', content: randomBytes(100_000) },
  ])
  const moved = await putOn(base, 'servers/0a8ee05a-67a4-4d27-b30e-4efcd29b3b1d', [
    { name: 'root/moved', content: randomBytes(1000) },
  ])
  const [baseId, childId] = [await row(base, { visibility: 'public' }), await row(child)]
  const server = await boot({ ...api, imageId: baseId })
  await api.db('servers').where({ id: server }).update({ imageReference: moved })
  await deleteImage(api.db, baseId)
  await sweepRegistry(host, false)
  expect(await Promise.all([base, child, moved].map(isStored))).toEqual([false, true, true])
  expect((await readImage(store, child)).manifest.layers).toHaveLength(2)
  const layer = (await readImage(store, child)).manifest.layers[0]?.digest ?? ''
  await deleteImage(api.db, childId)
  const told = await sweepRegistry(host, true)
  expect(told?.bytes).toBeGreaterThan(100_000)
  expect(told?.bytes).toBeLessThan(150_000)
  expect(await isStored(child)).toBe(true)
  const done = await sweepRegistry(host, false)
  expect(done).toMatchObject({ removed: told?.removed, bytes: told?.bytes, sweeps_blobs: true })
  expect(await store.repositories()).not.toContain('images/0a8ee05a-67a4-4d27-b30e-4efcd29b3b1c')
  expect(await store.of(moved).repository.has(layer)).toBe(true)
  await host.driver.ensureImage(moved)
  await api.db('servers').where({ id: server }).update({ deletedAt: new Date() })
  expect((await sweepRegistry(host, false))?.removed).toEqual([moved.replace(`${address}/`, '')])
  expect(await store.of(moved).repository.has(layer)).toBe(false)
  const again = await putOn(await put('images/again', [bytes(10)]), 'images/again', [bytes(20)])
  expect(await host.driver.ensureImage(again)).toMatch(/^sha256:/)
}, 120_000)

test('nothing is swept while somebody writes, nor before it has been left alone for long enough', async () => {
  await api.db('images').delete()
  await sweepRegistry(host, false)
  const orphan = await put('images/orphan', [bytes(30)])
  const meanwhile = await whileWriting(api.db, () => sweepRegistry(host, false))
  expect(meanwhile).toBeNull()
  const patient = await freshHost({ registryKeepHours: 1 })
  expect(await sweepRegistry(patient, false)).toMatchObject({ removed: [], waiting: 1 })
  await api.db('registry_orphans').update({ since: new Date(Date.now() - 3_700_000) })
  expect(await sweepRegistry(patient, false)).toMatchObject({
    removed: [orphan.replace(`${address}/`, '')],
    waiting: 0,
  })
  expect(await isStored(orphan)).toBe(false)
}, 60_000)

test('who writes waits for a sweep, but not for one whose agent was killed, once the next agent starts', async () => {
  await api.db('registry_state').update({ sweepUntil: new Date(Date.now() + 600_000) })
  const order: string[] = []
  const writing = whileWriting(api.db, () => Promise.resolve(order.push('written')))
  await sleep(1000)
  order.push('started')
  await endKilledSweep(host)
  await writing
  expect(order).toEqual(['started', 'written'])
}, 60_000)

/** Where Docker puts what each container has of its own. */
const docked = /^(dev|etc|proc|sys)(\/|$)/

/** Everything that a file system says of its entries. */
async function treeOf(driver: ImageHost['driver'], reference: string): Promise<readonly string[]> {
  const entries = extract()
  const reading = await driver.captureImage(reference, join(home, 'tree'))
  reading.pipe(entries)
  const lines: string[] = []
  for await (const entry of entries) {
    const hash = createHash('sha256')
    for await (const chunk of entry) hash.update(z.instanceof(Uint8Array).parse(chunk))
    const { name, type, mode, uid, gid, mtime, size, linkname, pax } = entry.header
    const own = Object.entries(pax ?? {}).filter(([key]) => key.startsWith('SCHILY.xattr.'))
    const facts = [name, type, mode, uid, gid, mtime.getTime(), size, linkname, own, hash.digest('hex')]
    if (!docked.test(name)) lines.push(JSON.stringify(facts))
  }
  return lines.toSorted()
}

test('an image of too many layers becomes one of one layer, with the same files and the same config', async () => {
  await api.db('images').delete()
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1')
  let chain = await put('images/chain', [
    { name: 'srv', type: 'directory', mode: 0o2775, uid: 7, gid: 8 },
    { name: 'srv/gone', content: 'gone' },
    { name: 'srv/first', content: 'first', mode: 0o4750, uid: 1000, gid: 33 },
    { name: 'srv/second', type: 'link', linkname: 'srv/first' },
    { name: 'srv/pointer', type: 'symlink', linkname: '../etc' },
    { name: 'srv/able', content: 'able', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': capability } },
    { name: 'opaque', type: 'directory' },
    { name: 'opaque/old', content: 'old' },
  ])
  const changes: readonly (readonly Entry[])[] = [
    [
      { name: 'srv', type: 'directory', mode: 0o2775, uid: 7, gid: 8 },
      { name: 'srv/.wh.gone', content: '' },
    ],
    [
      { name: 'opaque', type: 'directory' },
      { name: 'opaque/.wh..wh..opq', content: '' },
      { name: 'opaque/new', content: 'new' },
    ],
    [{ name: 'srv/late', content: 'late', mtime: new Date(1_600_000_000_000) }],
    [{ name: 'srv/late', content: 'later' }],
  ]
  for (const entries of changes) chain = await putOn(chain, 'images/chain', entries)
  const id = await row(chain, { layers: 5 })
  const short = await row(await put('images/short', [bytes(4)]), { layers: 4 })
  await api.db('images').update({ updatedAt: new Date(Date.now() - 600_000) })
  const before = await treeOf(host.driver, chain)
  expect(before.join('\n')).toMatch(/srv\/second.*srv\/first/)
  await new Flattener(host).look(none)
  const flat = await api.db('images').where({ id }).first()
  expect(flat).toMatchObject({ layers: 1, flattenedFrom: chain, properties: { berth_flattened_from: chain } })
  expect(await api.db('images').where({ id: short }).first()).toMatchObject({ flattenedFrom: null })
  const [old, made] = [await readImage(store, chain), await readImage(store, flat?.reference ?? '')]
  expect(made.manifest.layers).toHaveLength(1)
  expect(made.config.config).toEqual(old.config.config)
  expect(made.config.config).toMatchObject({ Labels: labels, Env: ['KEPT=1'], Cmd: ['/sbin/init'], WorkingDir: '/srv' })
  expect(await treeOf(host.driver, flat?.reference ?? '')).toEqual(before)
  expect(await readdir(captureDirectory(host.config))).toEqual([])
}, 120_000)

test('an image that moves of a server have made long is flattened too, and its server refers to the flat one', async () => {
  await api.db('images').delete()
  const base = await put('images/base', [bytes(40)])
  const server = await boot({ ...api, imageId: await row(base, { visibility: 'public' }) })
  await place(api.db, server)
  let moved = base
  for (let count = 0; count < 5; count += 1)
    moved = await putOn(moved, `servers/${server}`, [{ name: 'root/count', content: String(count) }])
  await api.db('servers').where({ id: server }).update({ imageReference: moved })
  await new Flattener(host).look(none)
  const { imageReference } = (await api.db('servers').where({ id: server }).first()) ?? { imageReference: '' }
  expect((await readImage(store, imageReference)).manifest.layers).toHaveLength(1)
  expect((await treeOf(host.driver, imageReference)).length).toBe((await treeOf(host.driver, moved)).length)
}, 90_000)
