/** Two hosts on one machine: servers on both, moves between them that are cut off anywhere, and a host that is lost. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { z } from 'zod'
import { ask } from '../../machine/supervisor-protocol.ts'
import { hostsBeside } from '../../machine/hosts.ts'
import type { Site } from '../../machine/parts/part.ts'
import { up } from '../../machine/up.ts'
import { pidOf, specOf } from '../faults/services.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { record } from '../faults/record.ts'
import { Client } from './client.ts'
import { data, everyKind, identity } from './every-kind.ts'

let cloud: TestCloud
let client: Client
let second: Site
const first = (): string => cloud.site.config.hostName
const other = (): string => second.config.hostName

beforeAll(async () => {
  cloud = await startCloud()
  await up(cloud.site.config, { hello: false, hosts: 2 })
  const [host] = hostsBeside(cloud.site)
  if (!host) throw new Error('there is no second host')
  second = host
  client = new Client(cloud)
  const keyFile = join(cloud.site.layout.home, 'tmp', 'hosts.pub')
  writeFileSync(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'hosts')
  const size = ['--vcpus', '1', '--ram', '512', '--disk', '1']
  await client.run('flavor', 'create', ...size, '--property', 'berth:transport=registry', 'by.registry')
}, 600_000)
afterAll(async () => {
  const names = (await client.run('server', 'list', '-f', 'value', '-c', 'Name')).split('\n').filter(Boolean)
  if (names.length > 0) await client.run('server', 'delete', '--wait', ...names)
  await client.try('keypair', 'delete', 'hosts')
  await client.try('flavor', 'delete', 'by.registry')
  expect(await cloud.audit()).toEqual([])
  // The other journeys have the machine as one host again.
  await up(cloud.site.config, { hello: false, hosts: 1 })
  expect(existsSync(second.layout.home)).toBe(false)
}, 300_000)

async function berth(...words: readonly string[]): Promise<string> {
  return await new Client(cloud, { command: 'berth' }).run(...words)
}

/** @returns its address */
async function create(name: string, host: string, flavor = 'm1.tiny'): Promise<string> {
  const words = ['--image', 'debian-12-small', '--flavor', flavor, '--key-name', 'hosts', '--network', 'private']
  await client.run('--os-compute-api-version', '2.74', 'server', 'create', ...words, '--host', host, '--wait', name)
  const shown = await client.value('addresses', 'server', 'show', name)
  return shown.replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
}

async function of(name: string): Promise<string> {
  const columns = ['-c', 'status', '-c', 'OS-EXT-SRV-ATTR:host', '-c', 'OS-EXT-STS:task_state']
  const shown = z
    .record(z.string(), z.string().nullable())
    .parse(JSON.parse(await client.run('server', 'show', name, '-f', 'json', ...columns)))
  return ['OS-EXT-SRV-ATTR:host', 'status', 'OS-EXT-STS:task_state'].flatMap((column) => shown[column] ?? []).join(' ')
}

async function becomes(name: string, wanted: string): Promise<void> {
  await until(async () => (await of(name)) === wanted, { timeoutMs: 90_000 })
}

async function said(address: string, command: string): Promise<string> {
  return await until(async () => await client.ssh(address, command), { timeoutMs: 60_000 })
}

test('servers on two hosts reach each other, and the machine reaches both', async () => {
  const [here, there] = [await create('here', first()), await create('there', other())]
  expect(await said(there, `ping -c1 -W5 ${here} >/dev/null && echo answered`)).toBe('answered')
  expect(await said(here, `ping -c1 -W5 ${there} >/dev/null && echo answered`)).toBe('answered')
}, 180_000)

/** A network in tunnels, all of them with the same addresses. */
async function createTunnelled(name: string): Promise<void> {
  await client.run('network', 'create', '--provider-network-type', 'vxlan', name)
  await client.run('subnet', 'create', '--network', name, '--subnet-range', '10.57.0.0/24', name)
}

async function createIn(network: string, last: number, host: string): Promise<string> {
  const name = `${network}-${last}`
  const boot = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--key-name', 'hosts', '--host', host]
  const nic = ['--nic', `net-id=${await client.value('id', 'network', 'show', network)},v4-fixed-ip=10.57.0.${last}`]
  await client.run('--os-compute-api-version', '2.74', 'server', 'create', ...boot, ...nic, name)
  return name
}

test('servers of a network in tunnels reach each other on two hosts, born with the MTU that tunnels leave, and no other network’s', async () => {
  for (const network of ['far', 'alien']) await createTunnelled(network)
  const names = [await createIn('far', 11, first()), await createIn('far', 12, other())]
  names.push(await createIn('alien', 13, other()), await createIn('alien', 14, first()))
  for (const [index, name] of names.entries()) await becomes(name, `${index % 3 === 0 ? first() : other()} ACTIVE`)
  const ping = (last: number, bytes: number): string =>
    `ping -c1 -W2 -M do -s ${bytes} 10.57.0.${last} >/dev/null 2>&1 && echo heard || echo silent`
  // Of 1500 bytes VXLAN takes 50; IP and ICMP take 28 of the rest.
  const asked = `cat /sys/class/net/eth0/mtu; ${ping(12, 1422)}; ${ping(12, 1423)}; ${ping(13, 56)}`
  expect(await said('10.57.0.11', asked)).toBe('1450\nheard\nsilent\nsilent')
  await client.run('server', 'delete', '--wait', ...names)
  for (const network of ['far', 'alien']) await client.run('network', 'delete', network)
}, 240_000)

test('a server moves with its address, its data and its identity, and back when its user reverts', async () => {
  const address = (await client.value('addresses', 'server', 'show', 'there')).replace(
    /^.*?(\d+\.\d+\.\d+\.\d+).*$/s,
    '$1',
  )
  await said(address, everyKind)
  const before = await said(address, identity)
  await client.run('server', 'migrate', '--wait', 'there')
  expect(await berth('migration', 'list')).toMatch(/there +migration .* finished +confirm/)
  expect(await of('there')).toBe(`${first()} VERIFY_RESIZE`)
  expect(await said(address, identity)).toBe(before)
  await client.run('server', 'migration', 'revert', 'there')
  await becomes('there', `${other()} ACTIVE`)
  expect(await said(address, identity)).toBe(before)
  await client.run('server', 'migrate', '--wait', 'there')
  await client.run('server', 'migration', 'confirm', 'there')
  await becomes('there', `${first()} ACTIVE`)
  expect(await said(address, identity)).toBe(before)
  await client.run('server', 'delete', '--wait', 'there')
}, 240_000)

test('an unknown host, and the own one, are refused by name', async () => {
  const own = await client.try('--os-compute-api-version', '2.56', 'server', 'migrate', '--host', first(), 'here')
  expect(own.error).toContain('Cannot migrate to the host where the server exists')
  const unknown = await client.try('--os-compute-api-version', '2.56', 'server', 'migrate', '--host', 'nowhere', 'here')
  expect(unknown.error).toContain('nowhere')
  expect(await of('here')).toBe(`${first()} ACTIVE`)
}, 60_000)

test('a size that its host has no place for is found on another one, and given back with a revert', async () => {
  const address = await create('grows', other())
  await said(address, everyKind)
  const before = await said(address, identity)
  await berth('host', 'maintenance', other())
  const memory = "awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo"
  await client.run('server', 'resize', '--flavor', 'm1.small', '--wait', 'grows')
  await becomes('grows', `${first()} VERIFY_RESIZE`)
  expect(await said(address, `${identity}; ${memory}`)).toBe(`${before}\n2048`)
  await client.run('server', 'resize', 'revert', 'grows')
  await becomes('grows', `${other()} ACTIVE`)
  expect(await said(address, `${identity}; ${memory}`)).toBe(`${before}\n512`)
  expect(await client.value('flavor', 'server', 'show', 'grows')).toContain('m1.tiny')
  await client.run('server', 'resize', '--flavor', 'm1.small', '--wait', 'grows')
  await becomes('grows', `${first()} VERIFY_RESIZE`)
  await client.run('server', 'resize', 'confirm', 'grows')
  await becomes('grows', `${first()} ACTIVE`)
  expect(await client.value('flavor', 'server', 'show', 'grows')).toContain('m1.small')
  await berth('host', 'enable', other())
  await client.run('server', 'delete', '--wait', 'grows')
}, 300_000)

async function guestsOn({ layout }: Site, name: string): Promise<string> {
  const id = await client.value('id', 'server', 'show', name)
  const socket = `unix://${join(layout.run, 'docker.sock')}`
  const { stdout } = await execa('docker', [
    '-H',
    socket,
    'ps',
    '--all',
    '--quiet',
    '--filter',
    `label=berth.server=${id}`,
  ])
  return stdout
}

test('what a deleted server kept at its source goes with it', async () => {
  await create('leaves', other())
  await client.run('server', 'migrate', '--wait', 'leaves')
  expect(await guestsOn(second, 'leaves')).not.toBe('')
  const id = await client.value('id', 'server', 'show', 'leaves')
  await client.run('server', 'delete', '--wait', 'leaves')
  const socket = `unix://${join(second.layout.run, 'docker.sock')}`
  const left = ['-H', socket, 'ps', '--all', '--quiet', '--filter', `label=berth.server=${id}`]
  // The sweep would take longer.
  await until(async () => (await execa('docker', left)).stdout === '', { timeoutMs: 15_000 })
}, 120_000)

const isFull = process.env.BERTH_TEST_FAULTS === 'full'
const delta = [
  'agent.migrate.left',
  'agent.disk.read',
  'agent.expect.begun',
  'agent.migrate.stopped',
  'agent.land.built',
]
const registry = ['agent.migrate.pushed', 'agent.migrate.stopped', 'agent.migrate.left', 'agent.land.built']
const points = [
  // In the drain below an agent is killed as well.
  ...delta.slice(0, isFull ? 9 : 0).map((point) => ['m1.tiny', point] as const),
  ...registry.slice(0, isFull ? 9 : 1).map((point) => ['by.registry', point] as const),
]

/** All of them where there is time: ./berth test faults. */
test.each(points)(
  'a move of a server of flavor %s is ended although an agent is killed at %s',
  async (flavor, point) => {
    const address = await create('moved', other(), flavor)
    await said(address, everyKind)
    const before = await said(address, identity)
    const directory = join(cloud.site.layout.home, 'tmp', 'failpoints')
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, point), '')
    const started = performance.now()
    await client.run('server', 'migrate', 'moved')
    await becomes('moved', `${first()} VERIFY_RESIZE`)
    const healMs = performance.now() - started
    expect(existsSync(join(directory, point))).toBe(false)
    expect(await said(address, identity)).toBe(before)
    await client.run('server', 'migration', 'confirm', 'moved')
    await becomes('moved', `${first()} ACTIVE`)
    await client.run('server', 'delete', '--wait', 'moved')
    const left = await cloud.audit()
    record({ fault: `killed at ${point}, a move and its end`, healMs, lost: 0, left: left.length })
    expect(left).toEqual([])
  },
  240_000,
)

/** A silent registry is asked again for as long as a boot may take. */
async function withoutRegistry(): Promise<void> {
  const address = await create('stays', other(), 'by.registry')
  await said(address, 'echo precious > /root/data; sync')
  const part = await specOf(cloud, 'registry')
  await ask(cloud.site.layout.supervisorSocket, { op: 'stop', name: 'registry' })
  await client.run('server', 'migrate', 'stays')
  await until(async () => (await of('stays')) === `${other()} ACTIVE`, { timeoutMs: 400_000 })
  expect(await said(address, 'cat /root/data')).toBe('precious')
  await ask(cloud.site.layout.supervisorSocket, { op: 'start', part })
  await until(() => pidOf(cloud, 'registry'), { timeoutMs: 30_000 })
  await client.run('server', 'migrate', '--wait', 'stays')
  await becomes('stays', `${first()} VERIFY_RESIZE`)
  expect(await said(address, 'cat /root/data')).toBe('precious')
  await client.run('server', 'delete', '--wait', 'stays')
}
if (isFull)
  test(
    'without the registry a move by it leaves the server where it is, and the next one goes',
    withoutRegistry,
    600_000,
  )

const many = isFull ? 10 : 2

test(`a host gives away its servers, ${many} of them, although an agent and an engine die: all answer with their data`, async () => {
  const names = Array.from({ length: many }, (_, index) => `drained-${index}`)
  const addresses = await Promise.all(names.map((name) => create(name, other())))
  const before = await Promise.all(
    addresses.map((address, index) => said(address, `echo ${index} > /root/data; sync; ${data}`)),
  )
  const drain = async (): Promise<string | null> => {
    const { text, error } = await new Client(cloud, { command: 'berth' }).try('host', 'drain', other(), '-n', '2')
    return text.includes(`${other()} is empty`) ? text : Promise.reject(new Error(`${text} ${error}`))
  }
  // Begun again it goes on where it was.
  const draining = until(drain, { timeoutMs: 60_000 * many, what: `${other()} to be empty` })
  const kill = async (site: Site, part: string): Promise<void> => {
    const pid = await pidOf({ ...cloud, site }, part)
    if (pid !== null) process.kill(pid, 'SIGKILL')
  }
  await until(async () => (await of(names[0] ?? '')).includes('resize'), { timeoutMs: 60_000 }).catch(() => false)
  await kill(cloud.site, 'agent')
  await kill(second, 'docker')
  await draining
  await Promise.all(names.map((name) => becomes(name, `${first()} ACTIVE`)))
  expect(await Promise.all(addresses.map((address) => said(address, data)))).toEqual(before)
  await berth('host', 'enable', other())
  await client.run('server', 'delete', '--wait', ...names)
  expect(await cloud.audit()).toEqual([])
}, 900_000)

test('a server of a host that is down is built anew with its address, another is deleted; the old host brings neither back', async () => {
  const address = await create('lost', other())
  await create('doomed', other())
  await said(address, 'true')
  const isUp = await client.try('server', 'evacuate', 'lost')
  expect(isUp.error).toContain('is still in use')
  // As a host whose network is cut: nobody there works on servers, and its guests are heard no more.
  for (const name of ['agent', 'ovs-vswitchd']) await ask(second.layout.supervisorSocket, { op: 'stop', name })
  await client.run('compute', 'service', 'set', '--down', other(), 'nova-compute', '--os-compute-api-version', '2.11')
  await client.try('server', 'evacuate', '--password', 'open sesame', 'lost')
  await becomes('lost', `${first()} ACTIVE`)
  await client.run('server', 'delete', '--wait', 'doomed')
  await client.run('compute', 'service', 'set', '--up', other(), 'nova-compute', '--os-compute-api-version', '2.11')
  await up(cloud.site.config, { hello: false })
  expect(await said(address, 'hostname')).toBe('lost')
  const compare = 'my $hash = (getpwnam "root")[1]; print crypt("open sesame", $hash) eq $hash ? "taken" : $hash'
  expect(await said(address, `perl -e '${compare}'`)).toBe('taken')
  await until(async () => (await cloud.audit()).length === 0, { timeoutMs: 60_000 })
}, 300_000)
