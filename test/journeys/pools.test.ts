/** Pools as their operators meet them: equal addresses side by side, names, groups, drift and strangers on the wire. */
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { z } from 'zod'
import type { Db } from '../../db/connect.ts'
import { Cloud } from '../../machine/cloud.ts'
import { databaseOf } from '../faults/services.ts'
import { whileCapturing } from '../netns/flows/capture.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
let berth: Client
let db: Db

const pools = ['left', 'right'] as const
const servers = ['left-1', 'right-1', 'right-2'] as const

async function boot(name: string, pool: string): Promise<string> {
  const words = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--key-name', 'pools', '--network', pool]
  await client.run('server', 'create', ...words, '--wait', name)
  return await client.value('id', 'server', 'show', name)
}

function namespaceOf(serverId: string): string {
  return join(cloud.site.layout.run, 'netns', serverId)
}

/** Runs a command in the network namespace of a guest, as the host's root can. */
async function inGuest(serverId: string, ...words: readonly string[]): Promise<string> {
  const place = `--net=${namespaceOf(serverId)}`
  return (await execa('nsenter', [place, ...words], { reject: false, timeout: 20_000 })).stdout
}

const ids = new Map<string, string>()

beforeAll(async () => {
  cloud = await startCloud()
  client = new Client(cloud)
  berth = new Client(cloud, { command: 'berth' })
  db = await databaseOf(cloud)
  const keyFile = join(cloud.site.layout.home, 'tmp', 'pools.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'pools')
  for (const pool of pools) await berth.run('pool', 'create', pool, '10.56.0.0/28')
  for (const name of servers) ids.set(name, await boot(name, name.split('-')[0] ?? ''))
}, 600_000)
afterAll(async () => {
  const all = [...servers, 'right-3', 'quay-1', 'isle-1']
  await Promise.all(all.map((name) => client.try('server', 'delete', '--wait', name)))
  await berth.try('pool', 'group', 'delete', 'waterside')
  for (const pool of [...pools, 'quay', 'isle']) await berth.try('pool', 'delete', pool)
  await client.try('keypair', 'delete', 'pools')
  await db.destroy()
}, 120_000)

async function namedIn(serverId: string, name: string): Promise<string | undefined> {
  const script = `
import socket
try: print(socket.gethostbyname('${name}'))
except OSError: print('nobody')`
  const resolver = join(cloud.site.layout.home, 'tmp', 'resolv.conf')
  await writeFile(resolver, 'nameserver 169.254.169.254\n')
  const words = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    `mount --bind ${resolver} /etc/resolv.conf && exec /usr/bin/python3 -c "$0"`,
  ]
  return (await inGuest(serverId, ...words, script)).trim()
}

test('two networks of the same addresses work side by side: each is reached, has its names, and knows nothing of the other', async () => {
  expect(await until(() => client.ssh('10.56.0.2', 'hostname'), { timeoutMs: 60_000, what: 'ssh' })).toBe('left-1')
  const [device = ''] = readdirSync(join(cloud.site.layout.run, 'gateways'))
  const gateway = join(cloud.site.layout.run, 'gateways', device)
  const ssh = ['-i', cloud.sshKeyPath, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null']
  const hostname = async (): Promise<string> =>
    (
      await execa('nsenter', [
        `--net=${gateway}`,
        'ssh',
        ...ssh,
        '-o',
        'ConnectTimeout=3',
        'root@10.56.0.2',
        'hostname',
      ])
    ).stdout
  expect(await until(hostname, { timeoutMs: 60_000, what: 'ssh' })).toBe('right-1')
  const ask = async (name: string): Promise<readonly (string | undefined)[]> =>
    await Promise.all(['left-1', 'right-1'].map((from) => namedIn(ids.get(from) ?? '', name)))
  expect(await ask('right-2')).toEqual(['nobody', '10.56.0.3'])
  expect(await ask('left-1.left')).toEqual(['10.56.0.2', 'nobody'])
}, 180_000)

test('a guest captures nothing of a network of the same addresses, only what is said in its own', async () => {
  const [one = '', other = ''] = ['left-1', 'right-1'].map((name) => ids.get(name))
  const [, mac = ''] = /link\/ether (\S+)/.exec(await inGuest(other, 'ip', 'link', 'show', 'eth0')) ?? []
  const alien = mac.replaceAll(':', '')
  const asked = (last: number): string => `0a3800${last.toString(16).padStart(2, '0')}`
  const seen = await whileCapturing(namespaceOf(one), async (soFar) => {
    await inGuest(other, 'ping', '-c1', '-W1', '10.56.0.12')
    await execa('ping', ['-c1', '-W1', '10.56.0.13'], { reject: false })
    await until(() => Promise.resolve(soFar().includes(asked(13))), { what: 'the question of its own gateway' })
  })
  expect(alien).toMatch(/^fa163e/)
  expect(seen).not.toContain(alien)
  expect(seen).not.toContain(asked(12))
}, 60_000)

const group = z.object({ id: z.string() })
const ask = 'exec 3<>/dev/tcp/169.254.169.254/80; printf "GET $0 HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'

test('servers of a group get the pools in turn, and in the one without a gateway the metadata service answers in both forms', async () => {
  await berth.run('pool', 'create', 'quay', '10.66.0.0/30')
  await berth.run('pool', 'create', 'isle', '10.66.1.0/28', '--gateway', 'none')
  await berth.run('pool', 'reserve', 'isle', '10.66.1.9', '--for', 'isle-1')
  const made = await berth.run('pool', 'group', 'create', 'waterside', 'quay', 'isle', '--json')
  const session = await Cloud.open(cloud.site.config, cloud.adminPassword)
  const [image, flavor] = await Promise.all([session.imageId('debian-12-small'), session.flavorId('m1.tiny')])
  const wanted = { image, flavor, network: group.parse(JSON.parse(made)).id, key: 'pools' }
  const bootInGroup = async (name: string): Promise<string> => {
    const id = await session.createServerOf({ ...wanted, name })
    await until(async () => (await session.server(id)).status === 'ACTIVE', { timeoutMs: 60_000, what: name })
    return id
  }
  const first = await bootInGroup('quay-1')
  const second = await bootInGroup('isle-1')
  expect(await inGuest(first, 'ip', '-brief', 'address', 'show', 'eth0')).toContain(' 10.66.0.2/30 ')
  expect(await inGuest(second, 'ip', '-brief', 'address', 'show', 'eth0')).toContain(' 10.66.1.9/28 ')
  expect(await inGuest(second, 'ip', 'route', 'show', 'default')).toBe('')

  const told = async (path: string): Promise<string> => {
    const [, body = ''] = (await inGuest(second, 'bash', '-c', ask, path)).split('\r\n\r\n')
    return body
  }
  const json = async (file: string): Promise<unknown> => JSON.parse(await told(`/openstack/latest/${file}`))
  expect(await json('meta_data.json')).toMatchObject({ uuid: second, name: 'isle-1' })
  expect(await json('network_data.json')).toMatchObject({ networks: [{ ip_address: '10.66.1.9', type: 'ipv4' }] })
  expect(await json('vendor_data.json')).toEqual({})
  expect(await told('/latest/meta-data/local-ipv4')).toBe('10.66.1.9')
  expect(await told('/latest/meta-data/public-keys/0/openssh-key')).toBe(cloud.publicKey.trim())
}, 180_000)

test('an address that a guest lost, and one that a guest took, are found by the audit; its repair gives back the lost one', async () => {
  expect(await berth.run('pool', 'audit', 'right')).toMatch(/2 addresses held, the wire asked for 13, .*: no drift/)
  await inGuest(ids.get('right-2') ?? '', 'ip', 'address', 'delete', '10.56.0.3/28', 'dev', 'eth0')
  const own = ['10.56.0.12/28', 'dev', 'eth0']
  await inGuest(ids.get('right-1') ?? '', 'ip', 'address', 'add', ...own)
  const found = await berth.try('pool', 'audit', 'right')
  expect(found).toMatchObject({ exitCode: 1, error: '' })
  expect(found.text).toMatch(/10\.56\.0\.3 +missing-address .* --repair: the wires/)
  // What the guest says of that address, its neighbours never hear.
  expect(found.text).toMatch(/10\.56\.0\.12 +foreign-address .* what it sends with it is dropped/)
  expect(found.text).not.toContain('stranger')
  await inGuest(ids.get('right-1') ?? '', 'ip', 'address', 'delete', ...own)
  expect((await berth.run('pool', 'audit', 'right', '--repair')).split('\n').at(-1)).toMatch(/mended: the wires/)
  const isWhole = async (): Promise<boolean> =>
    (await inGuest(ids.get('right-2') ?? '', 'ip', '-brief', 'address')).includes('10.56.0.3/28')
  await until(isWhole, { timeoutMs: 30_000, what: 'the address' })
}, 180_000)

interface Holder {
  readonly subnetId: string
  readonly portId: string
}

async function holderOf(pool: string, address: string): Promise<Holder> {
  const network = await db('networks').where({ name: pool }).first('id')
  const subnet = await db('subnets')
    .where({ networkId: network?.id ?? '' })
    .first('id')
  const row = await db('addresses')
    .where({ subnetId: subnet?.id ?? '', address })
    .first('subnetId', 'portId')
  if (!row?.portId) throw new Error(`nobody has ${address} of pool ${pool}`)
  return { subnetId: row.subnetId, portId: row.portId }
}

test('after rows were changed by hand the repair gives the guest the address of its row, and takes back what no port can use', async () => {
  const [left, right] = [await holderOf('left', '10.56.0.2'), await holderOf('right', '10.56.0.2')]
  await db('addresses').where(left).update({ address: '10.56.0.7' })
  await db('addresses').insert({ ...right, subnetId: left.subnetId, address: '10.56.0.8', state: 'used' })
  const { text } = await berth.try('pool', 'audit', 'left', '--repair')
  expect(text).toMatch(/10\.56\.0\.7 +missing-address .* mended: the wires/)
  expect(text).toMatch(/10\.56\.0\.8 +stray .* the port is in another network .* mended: it is given back/)
  expect(await until(() => client.ssh('10.56.0.7', 'hostname'), { timeoutMs: 60_000, what: 'ssh' })).toBe('left-1')
  // The port that could not use it keeps its own.
  expect(await db('addresses').where({ portId: right.portId }).pluck('address')).toEqual(['10.56.0.2'])
}, 180_000)

test('an address that a stranger answers for is not handed out: it is told, and reserved when the audit may mend; a duplicate is named', async () => {
  const port = await client.value('ID', 'port', 'list', '--server', 'right-2')
  await client.run('port', 'set', '--no-security-group', '--disable-port-security', port)
  // 2 is another guest's.
  for (const last of [2, 4, 9])
    await inGuest(ids.get('right-2') ?? '', 'ip', 'address', 'add', `10.56.0.${last}/28`, 'dev', 'eth0')
  await berth.run('pool', 'set', 'right', '--probe', 'on')
  const id = await boot('right-3', 'right')
  expect(await inGuest(id, 'ip', '-brief', 'address', 'show', 'eth0')).toContain('10.56.0.5/28')
  expect(await client.value('Action', 'server', 'event', 'list', 'right-3')).toContain('addressTaken')
  expect(await berth.run('pool', 'find', '10.56.0.4')).toMatch(/past .* answered by fa:16:3e:\S+ before its first use/)
  const { text } = await berth.try('pool', 'audit', 'right', '--repair')
  expect(text).toMatch(/10\.56\.0\.9 +stranger .* mended: it is reserved/)
  expect(text).toMatch(/10\.56\.0\.2 +duplicate +fa:16:3e:\S+ answers for it too; .* server right-1/)
  expect(await berth.run('pool', 'find', '10.56.0.9')).toMatch(/reserved .* answered by fa:16:3e:/)
}, 240_000)
