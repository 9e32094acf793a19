/** From a bare cloud to a machine that its user works on, with the unmodified client. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
beforeAll(async () => {
  cloud = await startCloud()
  client = new Client(cloud, { waitsItself: true })
  const keyFile = join(cloud.site.layout.home, 'tmp', 'key.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'journey')
}, 600_000)
afterAll(async () => {
  await client.try('keypair', 'delete', 'journey')
  expect(await cloud.audit()).toEqual([])
}, 90_000)

async function create(name: string, ...words: readonly string[]): Promise<string> {
  const common = ['--image', 'debian-12', '--flavor', 'm1.tiny', '--key-name', 'journey', '--wait']
  await client.run(
    'server',
    'create',
    ...common,
    ...(words.includes('--nic') ? [] : ['--network', 'private']),
    ...words,
    name,
  )
  return await addressOf(name)
}

async function addressOf(name: string): Promise<string> {
  return (await client.value('addresses', 'server', 'show', name)).replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
}

async function status(name: string): Promise<string> {
  return await client.value('status', 'server', 'show', name)
}

async function remove(...names: readonly string[]): Promise<void> {
  await client.run('server', 'delete', '--wait', ...names)
}

test('a server is a machine: ssh, its own hostname, memory, init, sudo, ping, cron', async () => {
  const address = await create('whole')
  try {
    expect(await until(() => client.ssh(address, 'hostname'))).toBe('whole')
    expect(await client.ssh(address, 'ps -o comm= -p 1')).toBe('systemd')
    expect(await client.ssh(address, "free -m | awk '/^Mem/ {print $2}'")).toBe('512')
    expect(await client.ssh(address, 'pgrep -c cron')).toBe('1')
    expect(await client.ssh(address, 'sudo -n id -u', 'debian')).toBe('0')
    const gateway = address.replace(/\.\d+$/, '.1').replace(/^(10\.77)\.\d+/, '$1.0')
    expect(await client.ssh(address, `ping -c1 -W2 ${gateway} >/dev/null && echo pong`)).toBe('pong')
    const state = await until(
      async () => {
        const said = await client.ssh(address, 'systemctl is-system-running')
        return said === 'starting' ? null : said
      },
      { timeoutMs: 30_000 },
    )
    expect(state).toBe('running')
  } finally {
    await remove('whole')
  }
}, 180_000)

test('reboot inside comes back with the same address and files; poweroff inside is SHUTOFF', async () => {
  const address = await create('power')
  try {
    await until(() => client.ssh(address, 'echo kept > /root/kept && sync'))
    const before = await client.ssh(address, 'stat -c %Y /proc/1')
    await client.ssh(address, 'reboot')
    const after = await until(
      async () => {
        const said = await client.ssh(address, 'stat -c %Y /proc/1')
        return said === before ? null : said
      },
      { timeoutMs: 30_000 },
    )
    expect(after).not.toBe(before)
    expect(await client.ssh(address, 'cat /root/kept')).toBe('kept')
    expect(await status('power')).toBe('ACTIVE')
    await client.ssh(address, 'poweroff')
    await until(async () => (await status('power')) === 'SHUTOFF', { timeoutMs: 30_000 })
    await client.run('server', 'start', 'power')
    await until(async () => (await status('power')) === 'ACTIVE', { timeoutMs: 30_000 })
    expect(await until(() => client.ssh(address, 'cat /root/kept'))).toBe('kept')
  } finally {
    await remove('power')
  }
}, 180_000)

test('stop, start and both reboots do what they say, and are told as events', async () => {
  const address = await create('events')
  try {
    await client.run('server', 'stop', 'events')
    await until(async () => (await status('events')) === 'SHUTOFF', { timeoutMs: 60_000 })
    const refused = await client.try('server', 'stop', 'events')
    expect(refused.error).toMatch(/Cannot 'stop' instance .* while it is in vm_state stopped \(HTTP 409\)/)
    await client.run('server', 'start', 'events')
    await until(async () => (await status('events')) === 'ACTIVE', { timeoutMs: 60_000 })
    await client.run('server', 'reboot', '--wait', 'events')
    await client.run('server', 'reboot', '--hard', '--wait', 'events')
    expect(await until(() => client.ssh(address, 'hostname'))).toBe('events')
    const actions = (await client.value('Action', 'server', 'event', 'list', 'events')).split('\n')
    expect(actions).toEqual(['reboot', 'reboot', 'start', 'stop', 'create'])
    expect(await client.run('console', 'log', 'show', 'events')).toMatch(/login:|Debian/)
  } finally {
    await remove('events')
  }
}, 240_000)

test('user data, properties and a named address reach the guest', async () => {
  const script = join(cloud.site.layout.home, 'tmp', 'user-data.sh')
  await writeFile(script, '#!/bin/sh\necho from user data > /root/said\n')
  const network = await client.value('id', 'network', 'show', 'private')
  const address = await create(
    'named',
    '--nic',
    `net-id=${network},v4-fixed-ip=10.77.3.7`,
    '--user-data',
    script,
    '--property',
    'role=web',
  )
  try {
    expect(address).toBe('10.77.3.7')
    const said = await until(
      async () => {
        const text = await client.ssh(address, 'cat /root/said')
        return text === '' ? null : text
      },
      { timeoutMs: 30_000 },
    )
    expect(said).toBe('from user data')
    expect(await client.value('properties', 'server', 'show', 'named')).toContain('role')
    await client.run('server', 'set', '--name', 'renamed', 'named')
    expect(await client.value('name', 'server', 'show', 'renamed')).toBe('renamed')
    const twice = await client.try(
      'server',
      'create',
      '--image',
      'debian-12',
      '--flavor',
      'm1.tiny',
      '--nic',
      `net-id=${network},v4-fixed-ip=10.77.3.7`,
      'second',
    )
    expect(twice.exitCode).not.toBe(0)
    expect(twice.error).toMatch(/10\.77\.3\.7/)
  } finally {
    await client.try('server', 'delete', '--wait', 'renamed', 'named')
  }
}, 240_000)

test('a full pool is a clear fault, and frees itself', async () => {
  await client.run('network', 'create', 'narrow')
  await client.run('subnet', 'create', '--network', 'narrow', '--subnet-range', '10.98.0.0/30', 'narrow')
  const words = [
    'server',
    'create',
    '--image',
    'debian-12-small',
    '--flavor',
    'm1.nano',
    '--network',
    'narrow',
    '--wait',
  ]
  try {
    await client.run(...words, 'first')
    const refused = await client.try(...words, 'second')
    expect(`${refused.error}${await client.run('server', 'list')}`).toMatch(/No more IP addresses|no more|full/i)
  } finally {
    await client.try('server', 'delete', '--wait', 'first', 'second')
    await client.run('network', 'delete', 'narrow')
    const isGone = async () => !(await execa('ip', ['-brief', 'address'])).stdout.includes('10.98.0.1/30')
    await until(isGone, { timeoutMs: 90_000, what: 'the end of the gateway of a deleted network' })
  }
}, 180_000)

test('servers made at once and deleted leave nothing', async () => {
  const count = 6
  await client.run(
    'server',
    'create',
    '--image',
    'debian-12-small',
    '--flavor',
    'm1.nano',
    '--network',
    'private',
    '--min',
    String(count),
    '--max',
    String(count),
    '--wait',
    'many',
  )
  const names = Array.from({ length: count }, (_, i) => `many-${i + 1}`)
  for (const name of names) expect(await status(name)).toBe('ACTIVE')
  await remove(...names)
  expect(await client.run('server', 'list', '-f', 'value')).toBe('')
  expect(await client.run('port', 'list', '-f', 'value')).toBe('')
}, 300_000)

test('an unknown image, flavor and network are named', async () => {
  for (const [option, value] of [
    ['--image', 'nope'],
    ['--flavor', 'nope'],
    ['--network', 'nope'],
  ] as const) {
    const words = new Map([
      ['--image', 'debian-12'],
      ['--flavor', 'm1.tiny'],
      ['--network', 'private'],
    ]).set(option, value)
    const refused = await client.try('server', 'create', ...[...words].flat(), 'bad')
    expect(refused.exitCode).not.toBe(0)
    expect(refused.error).toMatch(/nope/)
  }
}, 60_000)
