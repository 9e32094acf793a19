/** Images as their operators see them: where they are, as files, and backups that are taken by themselves. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { z } from 'zod'
import { registryAccessOf } from '../../machine/registry-keys.ts'
import { statusOf, type PartLine } from '../../machine/status.ts'
import { up } from '../../machine/up.ts'
import { manifestsOf } from '../../registry/garbage.ts'
import { Registry } from '../../registry/registry.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
let berth: Client
beforeAll(async () => {
  cloud = await startCloud()
  client = new Client(cloud)
  berth = new Client(cloud, { command: 'berth' })
  const keyFile = join(cloud.site.layout.home, 'tmp', 'care-key.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'care')
}, 600_000)
afterAll(async () => {
  await client.try('keypair', 'delete', 'care')
}, 120_000)

/** @returns its address */
async function create(name: string, image: string): Promise<string> {
  const words = ['--image', image, '--flavor', 'm1.nano', '--key-name', 'care', '--network', 'private', '--wait']
  await client.run('server', 'create', ...words, name)
  return (await client.value('addresses', 'server', 'show', name)).replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
}

test('images are on the host before a server needs them, and a backup is taken every so often', async () => {
  const host = cloud.site.config.hostName
  const line = async (name: string): Promise<string> =>
    (await berth.run('image', 'list')).split('\n').find((one) => one.includes(` ${name} `)) ?? ''
  for (const name of ['debian-12', 'debian-12-small'])
    await until(async () => (await line(name)).includes(host), { timeoutMs: 120_000, what: `${name} on ${host}` })
  await create('origin', 'debian-12-small')
  const set = await berth.run('backup', 'set', '--every', '1d', '--keep', '1', '--server', 'origin')
  try {
    const backups = ['image', 'list', '--property', 'image_type=backup', '--status', 'active', '-f', 'value']
    await until(async () => (await client.run(...backups, '-c', 'Name')).startsWith('origin-periodic-'), {
      timeoutMs: 120_000,
    })
    expect(await client.value('status', 'server', 'show', 'origin')).toBe('ACTIVE')
  } finally {
    await berth.run('backup', 'remove', /[0-9a-f-]{36}/.exec(set)?.[0] ?? '')
    await client.try('server', 'delete', '--wait', 'origin')
    const ids = await client.run('image', 'list', '-f', 'value', '-c', 'ID', '--property', 'image_type=backup')
    await client.try('image', 'delete', ...ids.split('\n'))
  }
}, 300_000)

test('an image goes out as a file that skopeo reads, comes back with the digest that it had, and boots', async () => {
  const file = join(cloud.site.layout.home, 'tmp', 'small.tar')
  const digests = async (): Promise<readonly string[]> =>
    (await berth.run('image', 'list'))
      .split('\n')
      .flatMap((one) => / (debian-12-small|copy) .* ([0-9a-f]{12}) /.exec(one)?.[2] ?? [])
  await berth.run('image', 'export', 'debian-12-small', file)
  try {
    const { stdout } = await execa('skopeo', ['inspect', `oci-archive:${file}`], { timeout: 60_000 })
    const { Digest } = z.object({ Digest: z.string() }).parse(JSON.parse(stdout))
    await berth.run('image', 'import', file, '--name', 'copy')
    const shown = await digests()
    expect(shown).toHaveLength(2)
    for (const digest of shown) expect(Digest).toContain(digest)
    const address = await create('child', 'copy')
    expect(await until(() => client.ssh(address, 'hostname'), { timeoutMs: 60_000 })).toBe('child')
    expect(await berth.run('image', 'gc', '--dry-run')).toContain('registry: 0 manifests would leave')
  } finally {
    await client.try('server', 'delete', '--wait', 'child')
    await client.try('image', 'delete', 'copy')
    await rm(file, { force: true })
  }
}, 300_000)

test('a mirror is a part for as long as its setting stands, and has what the registry has', async () => {
  const { site } = cloud
  const mirrored = { ...site.config, registryMirrorPort: 5020 }
  const shown = async (): Promise<PartLine | undefined> =>
    (await statusOf({ ...site, config: mirrored })).find(({ name }) => name === 'registry-mirror')
  const access = await registryAccessOf(site)
  const [stored] = await manifestsOf(new Registry(access), ['images/debian-12-small'])
  await up(mirrored, { hello: false })
  try {
    const where = `${mirrored.registryAddress}:5020`
    expect(await shown()).toMatchObject({ state: 'up', where })
    const mirror = new Registry({ ...access, address: where }).repository('images/debian-12-small')
    expect(await mirror.hasManifest(stored?.digest ?? '')).toBe(true)
    const stranger = new Registry({ ...access, address: where, credentials: null })
    expect(await stranger.answers(3000)).toBe(false)
  } finally {
    await up(site.config, { hello: false })
  }
  expect(await shown()).toMatchObject({ state: 'down' })
}, 300_000)
