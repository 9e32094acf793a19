/** Pools as their operators meet them: equal addresses side by side, names, drift and strangers on the wire. */
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
let berth: Client

const pools = ['left', 'right'] as const
const servers = ['left-1', 'right-1', 'right-2'] as const

async function boot(name: string, pool: string): Promise<string> {
  const words = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--key-name', 'pools', '--network', pool]
  await client.run('server', 'create', ...words, '--wait', name)
  return await client.value('id', 'server', 'show', name)
}

/** Runs a command in the network namespace of a guest, as the host's root can. */
async function inGuest(serverId: string, ...words: readonly string[]): Promise<string> {
  const path = join(cloud.site.layout.run, 'netns', serverId)
  return (await execa('nsenter', [`--net=${path}`, ...words], { reject: false, timeout: 20_000 })).stdout
}

const ids = new Map<string, string>()

beforeAll(async () => {
  cloud = await startCloud()
  client = new Client(cloud)
  berth = new Client(cloud, { command: 'berth' })
  const keyFile = join(cloud.site.layout.home, 'tmp', 'pools.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'pools')
  for (const pool of pools) await berth.run('pool', 'create', pool, '10.56.0.0/28')
  for (const name of servers) ids.set(name, await boot(name, name.split('-')[0] ?? ''))
}, 600_000)
afterAll(async () => {
  for (const name of [...servers, 'right-3']) await client.try('server', 'delete', '--wait', name)
  for (const pool of pools) await berth.try('pool', 'delete', pool)
  await client.try('keypair', 'delete', 'pools')
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

test('an address that a guest lost is found by the audit, and given back by its repair', async () => {
  expect(await berth.run('pool', 'audit', 'right')).toMatch(/2 addresses held, the wire asked for 13, .*: no drift/)
  await inGuest(ids.get('right-2') ?? '', 'ip', 'address', 'delete', '10.56.0.3/28', 'dev', 'eth0')
  const found = await berth.try('pool', 'audit', 'right')
  expect(found).toMatchObject({ exitCode: 1, error: '' })
  expect(found.text).toMatch(/10\.56\.0\.3 +missing-address .* --repair: the wires/)
  expect((await berth.run('pool', 'audit', 'right', '--repair')).split('\n').at(-1)).toMatch(/mended: the wires/)
  const isWhole = async (): Promise<boolean> =>
    (await inGuest(ids.get('right-2') ?? '', 'ip', '-brief', 'address')).includes('10.56.0.3/28')
  await until(isWhole, { timeoutMs: 30_000, what: 'the address' })
}, 180_000)

test('an address that a stranger answers for is not handed out: it is told, and reserved when the audit may mend', async () => {
  const port = await client.value('ID', 'port', 'list', '--server', 'right-2')
  await client.run('port', 'set', '--no-security-group', '--disable-port-security', port)
  for (const last of [4, 9])
    await inGuest(ids.get('right-2') ?? '', 'ip', 'address', 'add', `10.56.0.${last}/28`, 'dev', 'eth0')
  await berth.run('pool', 'set', 'right', '--probe', 'on')
  const id = await boot('right-3', 'right')
  expect(await inGuest(id, 'ip', '-brief', 'address', 'show', 'eth0')).toContain('10.56.0.5/28')
  expect(await client.value('Action', 'server', 'event', 'list', 'right-3')).toContain('addressTaken')
  expect(await berth.run('pool', 'find', '10.56.0.4')).toMatch(/past .* answered by fa:16:3e:\S+ before its first use/)
  expect((await berth.try('pool', 'audit', 'right', '--repair')).text).toMatch(
    /10\.56\.0\.9 +stranger .* mended: it is reserved/,
  )
  expect(await berth.run('pool', 'find', '10.56.0.9')).toMatch(/reserved .* answered by fa:16:3e:/)
}, 240_000)
