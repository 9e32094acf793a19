/** What users do to a running machine, with the unmodified client: frozen, locked, resized, given a password. */
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { begin } from '../../db/servers.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { databaseOf } from '../faults/services.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
/** when init began; the time stamps of /proc are younger after memory was given up */
const bootTime = "awk '{print $22}' /proc/1/stat"
const patience = { timeoutMs: 120_000 }

beforeAll(async () => {
  cloud = await startCloud()
  client = new Client(cloud)
  const keyFile = join(cloud.site.layout.home, 'tmp', 'actions.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'actions')
}, 600_000)
afterAll(async () => {
  await client.try('keypair', 'delete', 'actions')
  expect(await cloud.audit()).toEqual([])
}, 90_000)

async function create(name: string, image = 'debian-12-small', flavor = 'm1.nano'): Promise<string> {
  const place = ['--network', 'private', '--key-name', 'actions', '--wait']
  await client.run('server', 'create', '--image', image, '--flavor', flavor, ...place, name)
  const addresses = await client.value('addresses', 'server', 'show', name)
  const address = addresses.replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
  await until(() => client.ssh(address, 'true').then((said) => said !== null), patience)
  return address
}

async function reaches(name: string, status: string): Promise<void> {
  const seen = async (): Promise<boolean> => (await client.value('status', 'server', 'show', name)) === status
  await until(seen, { ...patience, what: `${name} to be ${status}` })
}

async function powerState(name: string): Promise<string> {
  return await client.value('OS-EXT-STS:power_state', 'server', 'show', name)
}

/** The supervisor brings it up again; it looks at every server of its host before it takes jobs. */
async function restartAgent(): Promise<void> {
  const before = await readPid()
  process.kill(before, 'SIGTERM')
  await until(async () => (await readPid()) !== before, { ...patience, what: 'a new agent' })
}

async function readPid(): Promise<number> {
  return Number(await readFile(join(cloud.site.layout.run, 'agent.ready'), 'utf8'))
}

test('a paused server answers nobody, also after its agent was restarted, and goes on where it was when unpaused', async () => {
  const address = await create('frozen')
  try {
    const boot = await client.ssh(address, bootTime)
    await client.run('server', 'pause', 'frozen')
    await reaches('frozen', 'PAUSED')
    expect(await powerState('frozen')).toBe('3')
    expect(await client.isSilent(address)).toBe(true)
    await restartAgent()
    expect(await client.value('status', 'server', 'show', 'frozen')).toBe('PAUSED')
    expect(await client.isSilent(address)).toBe(true)
    expect((await client.try('server', 'stop', 'frozen')).error).toMatch(
      /Cannot 'stop' instance .* while it is in vm_state paused \(HTTP 409\)/,
    )
    expect(await client.run('console', 'log', 'show', 'frozen')).toMatch(/\S/)
    await client.run('server', 'unpause', 'frozen')
    await reaches('frozen', 'ACTIVE')
    expect(await until(() => client.ssh(address, bootTime))).toBe(boot)

    await client.run('server', 'suspend', 'frozen')
    await reaches('frozen', 'SUSPENDED')
    expect(await powerState('frozen')).toBe('7')
    expect(await client.isSilent(address)).toBe(true)
    await restartAgent()
    expect(await client.value('status', 'server', 'show', 'frozen')).toBe('SUSPENDED')
    await client.run('server', 'resume', 'frozen')
    await reaches('frozen', 'ACTIVE')
    expect(await until(() => client.ssh(address, bootTime))).toBe(boot)

    await client.run('server', 'pause', 'frozen')
    await reaches('frozen', 'PAUSED')
    await client.run('server', 'reboot', '--hard', '--wait', 'frozen')
    const again = await until(() => client.ssh(address, bootTime), patience)
    expect(again).not.toBe(boot)
    const actions = (await client.value('Action', 'server', 'event', 'list', 'frozen')).split('\n')
    expect(actions).toEqual(['reboot', 'pause', 'resume', 'suspend', 'unpause', 'pause', 'create'])
  } finally {
    await client.run('server', 'delete', '--wait', 'frozen')
  }
}, 400_000)

const memory = "free -m | awk '/^Mem/ {print $2}'"

test('a resized server has its new memory while it runs on, keeps it when confirmed, and loses it when reverted', async () => {
  const address = await create('sized')
  try {
    const boot = await client.ssh(address, bootTime)
    expect(await client.ssh(address, memory)).toBe('128')
    await client.run('server', 'resize', '--flavor', 'm1.tiny', '--wait', 'sized')
    expect(await client.value('status', 'server', 'show', 'sized')).toBe('VERIFY_RESIZE')
    expect(await client.ssh(address, memory)).toBe('512')
    await client.run('server', 'resize', 'revert', 'sized')
    await reaches('sized', 'ACTIVE')
    expect(await client.ssh(address, memory)).toBe('128')
    expect(await client.value('flavor', 'server', 'show', 'sized')).toMatch(/m1\.nano/)

    await client.run('server', 'resize', '--flavor', 'm1.tiny', '--wait', 'sized')
    await restartAgent()
    await client.run('server', 'resize', 'confirm', 'sized')
    await reaches('sized', 'ACTIVE')
    expect(await client.ssh(address, memory)).toBe('512')
    expect(await client.ssh(address, bootTime)).toBe(boot)

    await client.run('server', 'reboot', '--hard', '--wait', 'sized')
    expect(await until(() => client.ssh(address, memory), patience)).toBe('512')
    const same = await client.try('server', 'resize', '--flavor', 'm1.tiny', 'sized')
    expect(same.error).toMatch(/When resizing, instances must change flavor! \(HTTP 400\)/)
    const actions = (await client.value('Action', 'server', 'event', 'list', 'sized')).split('\n')
    expect(actions).toEqual(['reboot', 'confirmResize', 'resize', 'revertResize', 'resize', 'create'])
  } finally {
    await client.run('server', 'delete', '--wait', 'sized')
  }
}, 400_000)

/** Who the shell of somebody is that gives this password for root; the question is asked without rights. */
async function opens(address: string, password: string): Promise<string | null> {
  return await client.ssh(address, `echo ${password} | su root -c whoami 2>/dev/null || echo refused`, 'debian')
}

test('a password that is changed opens the machine, and a machine that is watched tells what it uses', async () => {
  const address = await create('opened')
  try {
    expect(await opens(address, 'open-sesame')).toBe('refused')
    await client.run('server', 'set', '--password', 'open-sesame', 'opened')
    await reaches('opened', 'ACTIVE')
    expect(await opens(address, 'open-sesame')).toBe('root')
    expect(await opens(address, 'open-barley')).toBe('refused')
    const figures = await new Client(cloud, { command: 'nova' }).run('diagnostics', 'opened')
    expect(figures).toMatch(/"maximum": 128|memory_details/)
  } finally {
    await client.run('server', 'delete', '--wait', 'opened')
  }
}, 400_000)

/** As the API does where the cloud keeps deleted servers for a while. */
async function softlyDelete(serverId: string): Promise<void> {
  const db = await databaseOf(cloud)
  try {
    await db.transaction(async (trx) => {
      const { host } = await begin(trx, serverId, 'server.soft-delete')
      await enqueue(trx, 'server.soft-delete', { serverId, requestId: `req-${randomUUID()}` }, host ?? undefined)
    })
  } finally {
    await db.destroy()
  }
}

test('a softly deleted machine is off, and comes back with all its files', async () => {
  const address = await create('missed')
  try {
    await client.ssh(address, 'echo mine > /root/mine; sync')
    const id = await client.value('id', 'server', 'show', 'missed')
    await softlyDelete(id)
    await reaches(id, 'SOFT_DELETED')
    expect(await client.ssh(address, 'true')).toBeNull()
    await client.run('server', 'restore', id)
    await reaches('missed', 'ACTIVE')
    expect(await until(() => client.ssh(address, 'cat /root/mine'), patience)).toBe('mine')
  } finally {
    await client.run('server', 'delete', '--wait', 'missed')
  }
}, 400_000)

test('a server sees the disks of its flavor alone; the second keeps its files through a reboot, and is empty after a rebuild', async () => {
  const size = ['--ram', '192', '--vcpus', '1', '--disk', '1', '--ephemeral', '1']
  await client.run('flavor', 'create', ...size, 'two-disks')
  const address = await create('two-disks', 'debian-12-small', 'two-disks')
  const disks = 'lsblk --noheadings --raw --sort=NAME --output=NAME,SIZE,MOUNTPOINT; cat /mnt/file'
  const gone = 'vda 1G /\nvdb 1G /mnt\ncat: /mnt/file: No such file or directory'
  try {
    expect(await client.ssh(address, `${disks} 2>&1 || true`)).toBe(gone)
    await client.ssh(address, 'echo kept > /mnt/file; sync')
    await client.run('server', 'reboot', '--hard', '--wait', 'two-disks')
    expect(await until(() => client.ssh(address, disks), patience)).toBe('vda 1G /\nvdb 1G /mnt\nkept')
    await client.run('server', 'rebuild', '--wait', 'two-disks')
    expect(await until(() => client.ssh(address, `${disks} 2>&1 || true`), patience)).toBe(gone)
  } finally {
    await client.run('server', 'delete', '--wait', 'two-disks')
    await client.run('flavor', 'delete', 'two-disks')
  }
}, 300_000)
