/** What users do with images of their machines, with the unmodified client. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
let address: string
beforeAll(async () => {
  cloud = await startCloud()
  client = new Client(cloud)
  const keyFile = join(cloud.site.layout.home, 'tmp', 'images-key.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'images')
  address = await create('origin', 'debian-12-small')
}, 600_000)
afterAll(async () => {
  await client.try('server', 'delete', '--wait', 'origin')
  await client.try('keypair', 'delete', 'images')
  expect(await cloud.audit()).toEqual([])
}, 120_000)

async function create(name: string, image: string): Promise<string> {
  const words = ['--image', image, '--flavor', 'm1.nano', '--key-name', 'images', '--network', 'private', '--wait']
  await client.run('server', 'create', ...words, name)
  return await addressOf(name)
}

async function addressOf(name: string): Promise<string> {
  return (await client.value('addresses', 'server', 'show', name)).replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
}

async function inState(name: string, status: string): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const said = await client.value('status', 'server', 'show', name)
    if (said === 'ERROR') throw new Error(await client.value('fault', 'server', 'show', name))
    return said === status
  }
  await until(isThere, { timeoutMs: 90_000, what: `${name} in ${status}` })
}

/** What a guest answers; something, in the end. */
async function said(command: string, at = address): Promise<string> {
  return await until(() => client.ssh(at, command), { timeoutMs: 30_000, what: `an answer of ${at}` })
}

const identity = 'cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id /var/lib/cloud/seed/nocloud/meta-data'

test('a server made of a snapshot has the files of its parent, and keys and an id of its own', async () => {
  await said('echo kept > /root/kept; rm /etc/motd; echo more >> /etc/hosts.allow; sync')
  const parent = (await said(identity)).split('\n')
  await client.run('server', 'image', 'create', '--name', 'shot', '--wait', 'origin')
  try {
    expect(await client.value('status', 'server', 'show', 'origin')).toBe('ACTIVE')
    const child = await create('child', 'shot')
    expect(await said('cat /root/kept; ls /etc/motd 2>&1; hostname', child)).toMatch(/^kept\n.*No such file.*\nchild$/)
    expect(await said('sudo -n id -u; stat -c %U:%a /home/debian', child)).toMatch(/^0\ndebian:/)
    const own = (await said(identity, child)).split('\n')
    expect(own[0]).toMatch(/^ssh-ed25519 /)
    expect(own.filter((line) => /^ssh-ed25519|^[0-9a-f]{32}$|instance-id/.test(line) && parent.includes(line))).toEqual(
      [],
    )
  } finally {
    await client.try('server', 'delete', '--wait', 'child')
    await client.try('image', 'delete', 'shot')
  }
}, 180_000)

test('a rebuild keeps name and address, and nothing of the old disk', async () => {
  const before = await said('cat /sys/class/net/eth0/address; echo old > /root/old')
  await client.run('server', 'rebuild', '--image', 'debian-12-small', '--wait', 'origin')
  await inState('origin', 'ACTIVE')
  expect(await addressOf('origin')).toBe(address)
  expect(await said('cat /sys/class/net/eth0/address; ls /root/old 2>/dev/null')).toBe(before)
}, 120_000)

test('a rescued server finds its own disk at /mnt, and has it back afterwards', async () => {
  await said('echo precious > /root/precious; sync')
  await client.run('server', 'rescue', 'origin')
  await inState('origin', 'RESCUE')
  expect(await said('cat /mnt/root/precious; test -e /root/precious || echo elsewhere')).toBe('precious\nelsewhere')
  await said('echo mended > /mnt/root/mended; sync')
  await client.run('server', 'unrescue', 'origin')
  await inState('origin', 'ACTIVE')
  expect(await said('cat /root/precious /root/mended')).toBe('precious\nmended')
}, 120_000)

test('a shelved server comes back with its disk, its keys and its address', async () => {
  const before = await said(`echo shelf > /root/shelf; sync; ${identity}`)
  await client.run('server', 'shelve', 'origin')
  await inState('origin', 'SHELVED_OFFLOADED')
  expect(await client.run('image', 'list', '-f', 'value', '-c', 'Name')).toContain('origin-shelved')
  expect(await client.isSilent(address)).toBe(true)
  await client.run('server', 'unshelve', 'origin')
  await inState('origin', 'ACTIVE')
  expect(await said(`cat /root/shelf`)).toBe('shelf')
  expect(await said(identity)).toBe(before)
  expect(await client.run('image', 'list', '-f', 'value', '-c', 'Name')).not.toContain('origin-shelved')
}, 120_000)
