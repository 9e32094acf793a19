/** Registries that ask for a password and show a certificate, and a mirror of one that stands nearer. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { DockerDriver } from '../../driver/docker/driver.ts'
import { publish } from '../../images/publish.ts'
import { startRegistry, type FoundRegistry } from '../../machine/parts/registry.ts'
import type { Site } from '../../machine/parts/part.ts'
import { ask } from '../../machine/supervisor-protocol.ts'
import { registrySettings } from '../../machine/services.ts'
import { Registry } from '../../registry/registry.ts'
import { Sources } from '../../registry/sources.ts'
import { docker, registry, room } from '../world/index.ts'

/** No engine takes what is not loopback without a certificate that it trusts. */
const address = '10.254.254.1'
let store: Registry
let directory: string
let found: FoundRegistry
let mirror: Registry
beforeAll(async () => {
  store = await registry()
  directory = await mkdtemp(join(tmpdir(), 'sources-'))
  await execa('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'])
  const { config, layout } = room()
  const told = registrySettings({ origin: 'ours', where: '', version: '', access: store.access, mirrors: [] })
  const site: Site = { config: { ...config, ...told, registryAddress: address, registryMirrorPort: 5021 }, layout }
  found = await startRegistry(site)
  mirror = new Registry({ ...found.access, address: `${address}:5021` })
}, 120_000)
afterAll(async () => {
  await ask(room().layout.supervisorSocket, { op: 'stop', name: 'registry-mirror' })
  await execa('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo'])
  await rm(directory, { recursive: true })
})

/** @returns the reference of an image that no engine has seen */
async function freshImage(): Promise<string> {
  const name = randomUUID()
  await writeFile(join(directory, 'file'), name)
  const tarPath = join(directory, `${name}.tar`)
  await execa('tar', ['--create', `--file=${tarPath}`, `--directory=${directory}`, 'file'])
  const config = { Cmd: [], Env: [], Labels: { 'berth.init': 'runit' } }
  const image = { name: 'debian-12-small', recipe: name, tarPath, config } as const
  return await publish(image, { registry: store, name: `images/${name}` })
}

async function engineNames(reference: string): Promise<string> {
  const { socketPath } = await docker()
  const digest = reference.split('@')[1] ?? ''
  const { stdout } = await execa('docker', ['-H', `unix://${socketPath}`, 'images', '--digests', '--no-trunc'])
  return stdout
    .split('\n')
    .filter((line) => line.includes(digest))
    .map((line) => line.split(/\s/)[0])
    .join(' ')
}

test('the registry tells nothing to who does not know its password', async () => {
  const { access } = store
  expect(access.isSecure).toBe(true)
  expect(await new Registry(access).answers(5000)).toBe(true)
  expect(await new Registry({ ...access, credentials: null }).answers(5000)).toBe(false)
  const wrong = { user: access.credentials?.user ?? '', password: 'not the password' }
  expect(await new Registry({ ...access, credentials: wrong }).answers(5000)).toBe(false)
})

test('a registry whose certificate is of no authority that we know is not talked to', async () => {
  await expect(new Registry({ ...store.access, ca: null }).repositories()).rejects.toThrow(/does not answer/)
  expect(await new Registry({ ...store.access, isSecure: false, ca: null }).answers(5000)).toBe(false)
})

test('an engine pulls from the mirror, which brings the image from the registry and keeps it', async () => {
  const reference = await freshImage()
  const sources = new Sources(store, [mirror])
  const driver = new DockerDriver({ ...(await docker()), lxcfsDir: null, sources: (one) => sources.of(one) })
  expect(await driver.ensureImage(reference)).toMatch(/^sha256:/)
  expect(await engineNames(reference)).toBe(`${mirror.address}/${reference.replace(/^[^/]+\/(.*)@.*$/, '$1')}`)
  const kept = join(room().layout.home, 'registry-mirror', 'data', 'docker', 'registry', 'v2', 'repositories')
  expect(existsSync(join(kept, reference.replace(/^[^/]+\/(.*)@.*$/, '$1')))).toBe(true)
  expect(await driver.ensureImage(reference)).toMatch(/^sha256:/)
}, 60_000)

test('of two mirrors the one that answers first is asked, and the registry itself where none does', async () => {
  const reference = await freshImage()
  const nobody = new Registry({ ...mirror.access, address: `${address}:5099` })
  const nearest = (await new Sources(store, [nobody, mirror]).of(reference)).map((one) => one.reference.split('/')[0])
  expect(nearest).toEqual([mirror.address, store.address])
  const sources = new Sources(store, [nobody])
  const driver = new DockerDriver({ ...(await docker()), lxcfsDir: null, sources: (one) => sources.of(one) })
  expect(await driver.ensureImage(reference)).toMatch(/^sha256:/)
  expect(await engineNames(reference)).toMatch(new RegExp(`^${store.address}/`))
}, 60_000)
