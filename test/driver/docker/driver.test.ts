import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import Docker from 'dockerode'
import { execa } from 'execa'
import { messageOf } from '../../../core/errors.ts'
import { DockerDriver } from '../../../driver/docker/driver.ts'
import type { GuestExit, GuestSpec } from '../../../driver/driver.ts'
import { until } from '../../world/index.ts'
import { DockerSite } from './site.ts'

let site: DockerSite
let docker: Docker
let image: string
const made: string[] = []

beforeAll(async () => {
  site = await DockerSite.open()
  docker = new Docker({ socketPath: site.engine.socketPath })
  image = await site.driver.ensureImage(await site.image('debian-12-small'))
}, 120_000)
afterEach(async () => {
  for (const serverId of made.splice(0)) await site.driver.remove(serverId)
})
afterAll(() => site.close())

async function specOf(change: Partial<GuestSpec> = {}): Promise<GuestSpec> {
  const serverId = randomUUID()
  made.push(serverId)
  const files = [{ path: '/root/.ssh/authorized_keys', mode: 0o600, content: 'key', owner: 'root' }] as const
  const namespace = await site.namespace(serverId)
  const size = { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 200, diskGiB: null }
  return { serverId, hostname: 'quay', image, ...size, ...namespace, dns: [], hosts: [], files, ...change }
}

function containerOf({ serverId }: GuestSpec): Docker.Container {
  return docker.getContainer(`berth-${serverId}`)
}

async function groupValue(spec: GuestSpec, file: string): Promise<string> {
  const { Id } = await containerOf(spec).inspect()
  const [hierarchy, ...name] = file.split('/')
  return (await readFile(join('/sys/fs/cgroup', hierarchy ?? '', site.engine.cgroupParent, Id, ...name), 'utf8')).trim()
}

test('a guest that a killed agent left half made is made anew', async () => {
  const spec = await specOf()
  const { guestId } = await site.driver.create(spec)
  await rm(join(site.engine.ociDirectory, guestId))
  const again = await site.driver.create(spec)
  expect(again.guestId).not.toBe(guestId)
  await site.driver.start(spec.serverId)
  expect((await site.driver.exec(spec.serverId, ['cat', '/root/.ssh/authorized_keys'], 5000)).output).toBe('key')
})

test('a create that fails, or is found half made, leaves the disk that stands aside', async () => {
  const spec = await specOf()
  await site.driver.create(spec)
  await site.driver.setAside(spec.serverId)
  const files = [{ path: '/etc/passwd/below', mode: 0o600, content: 'no directory', owner: 'root' }] as const
  await expect(site.driver.create({ ...spec, files })).rejects.toMatchObject({ kind: expect.any(String) })
  expect(await site.driver.inspect(spec.serverId)).toBeNull()
  const { guestId } = await site.driver.create(spec)
  await rm(join(site.engine.ociDirectory, guestId))
  await site.driver.create({ ...spec, files: [] })
  await site.driver.bringBack(spec.serverId)
  await site.driver.start(spec.serverId)
  expect((await site.driver.exec(spec.serverId, ['cat', '/root/.ssh/authorized_keys'], 5000)).output).toBe('key')
})

test('a guest sees the disk of the one that stands aside, also after their host has forgotten its mounts', async () => {
  const spec = await specOf()
  await site.driver.create(spec)
  await site.driver.setAside(spec.serverId)
  await site.driver.create({ ...spec, files: [], asideAt: '/mnt' })
  const root = join(dirname(site.engine.ociDirectory), 'aside', spec.serverId)
  for (const before of ['its making', 'a fall of the host']) {
    await site.driver.start(spec.serverId)
    const seen = await site.driver.exec(spec.serverId, ['cat', '/mnt/root/.ssh/authorized_keys'], 5000)
    expect([before, seen.output]).toEqual([before, 'key'])
    await site.driver.stop(spec.serverId, 0)
    await execa('umount', [root])
  }
  await site.driver.bringBack(spec.serverId)
  expect(existsSync(root)).toBe(false)
})

test('what a broken-off removal left is swept away, and a guest that is there keeps its own', async () => {
  const [gone, kept] = [await specOf(), await specOf()]
  const { guestId } = await site.driver.create(gone)
  const { guestId: keptId } = await site.driver.create(kept)
  await containerOf(gone).remove()
  // A killed engine forgets a container before its groups are gone.
  const group = join('/sys/fs/cgroup', 'pids', site.engine.cgroupParent, 'f'.repeat(64))
  await mkdir(join(group, 'init'), { recursive: true })
  expect((await site.driver.sweep()).toSorted()).toEqual([guestId, 'f'.repeat(64)].toSorted())
  expect(existsSync(group)).toBe(false)
  expect(await readdir(site.engine.ociDirectory)).toEqual([keptId])
  expect(await site.driver.sweep()).toEqual([])
})

test("an ephemeral disk is the guest's own, ends where it ends, stays through restarts and goes with its guest", async () => {
  const spec = await specOf({ disks: { rootGiB: 3, ephemeralGiB: 1 } })
  const inGuest = (command: string): Promise<{ readonly output: string }> =>
    site.driver.exec(spec.serverId, ['sh', '-c', command], 20_000)
  await site.driver.create(spec)
  await site.driver.start(spec.serverId)
  expect((await inGuest('stat -c "%U %a" /mnt; fallocate -l 2G /mnt/large 2>&1')).output).toMatch(
    /^root 755\n.*No space left on device/s,
  )
  expect((await inGuest('cat /proc/partitions; ls /sys/block /sys/class/block')).output).not.toMatch(/loop|zram|sda/)
  await inGuest('rm /mnt/large; echo kept > /mnt/file')
  await site.driver.stop(spec.serverId, 0)
  const { Mounts: mounts } = await containerOf(spec).inspect()
  const disk = mounts.find(({ Destination }) => Destination === '/mnt')?.Source ?? ''
  // As after a fall of the host.
  await execa('umount', [disk])
  await site.driver.start(spec.serverId)
  expect((await inGuest('cat /mnt/file')).output).toBe('kept\n')
  await site.driver.stop(spec.serverId, 0)
  await site.driver.setLimits(spec.serverId, { ...spec, disks: { rootGiB: 3, ephemeralGiB: 3 } })
  await site.driver.start(spec.serverId)
  expect((await inGuest('fallocate -l 2G /mnt/large && cat /mnt/file')).output).toBe('kept\n')
  await site.driver.remove(spec.serverId)
  expect(existsSync(dirname(disk))).toBe(false)
})

test('directories of the image keep their owner and mode when files are put into them', async () => {
  const spec = await specOf({
    files: [
      { path: '/root/.ssh/authorized_keys', mode: 0o600, content: 'key', owner: 'root' },
      { path: '/home/debian/.ssh/authorized_keys', mode: 0o600, content: 'key', owner: 'debian' },
      { path: '/etc/made/for/this', mode: 0o644, content: 'x', owner: 'root' },
    ],
  })
  await site.driver.create(spec)
  await site.driver.start(spec.serverId)
  const paths = [
    '/root',
    '/root/.ssh',
    '/home/debian',
    '/home/debian/.ssh',
    '/home/debian/.ssh/authorized_keys',
    '/etc',
  ]
  const stat = ['stat', '-c', '%U %a', ...paths, '/etc/made/for', '/etc/made/for/this']
  const { output } = await site.driver.exec(spec.serverId, stat, 5000)
  expect(output.trim().split('\n')).toEqual([
    'root 700',
    'root 700',
    'debian 755',
    'debian 700',
    'debian 600',
    'root 755',
    'root 755',
    'root 644',
  ])
})

test('a file whose way leads over a link of the image lands where the link points, inside the guest', async () => {
  const spec = await specOf({ files: [{ path: '/var/run/../lock/x', mode: 0o644, content: 'x', owner: 'root' }] })
  await expect(site.driver.create(spec)).rejects.toMatchObject({ kind: 'invalid' })
  const linked = await specOf({
    files: [{ path: '/bin/greet', mode: 0o755, content: '#!/bin/sh\necho hi\n', owner: 'root' }],
  })
  await site.driver.create(linked)
  await site.driver.start(linked.serverId)
  expect((await site.driver.exec(linked.serverId, ['/usr/bin/greet'], 5000)).output).toBe('hi\n')
})

test('limits are the kernel’s, from the start and when they change', async () => {
  const spec = await specOf()
  await site.driver.create(spec)
  await site.driver.start(spec.serverId)
  const limits = (): Promise<string[]> =>
    Promise.all(
      [
        'memory/memory.limit_in_bytes',
        'memory/memory.memsw.limit_in_bytes',
        'pids/pids.max',
        'cpu/cpu.cfs_quota_us',
      ].map((file) => groupValue(spec, file)),
    )
  expect(await limits()).toEqual([`${256 * 1024 ** 2}`, `${256 * 1024 ** 2}`, '200', '100000'])
  await site.driver.setLimits(spec.serverId, { vcpus: 2, cpuset: null, memoryMiB: 512, pidsLimit: 300 })
  expect(await limits()).toEqual([`${512 * 1024 ** 2}`, `${512 * 1024 ** 2}`, '300', '200000'])
})

test('a guest has its share of CPU time and no more, from the start and when it changes', async () => {
  const spec = await specOf({ cpu: { shares: 512, periodMicroseconds: 50_000, quotaMicroseconds: 20_000 } })
  await site.driver.create(spec)
  await site.driver.start(spec.serverId)
  const limits = (): Promise<string[]> =>
    Promise.all(['shares', 'cfs_period_us', 'cfs_quota_us'].map((file) => groupValue(spec, `cpu/cpu.${file}`)))
  expect(await limits()).toEqual(['512', '50000', '20000'])
  const burn = ['sh', '-c', 'timeout 1 sh -c "while :; do :; done"']
  const used = async (): Promise<number> => Number(await groupValue(spec, 'cpuacct/cpuacct.usage'))
  const before = await used()
  await site.driver.exec(spec.serverId, burn, 20_000)
  expect(((await used()) - before) / 1e9).toBeLessThan(0.6)
  await site.driver.setLimits(spec.serverId, { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 200 })
  expect(await limits()).toEqual(['1024', '100000', '100000'])
})

const free = { readBytes: null, writeBytes: null, readRequests: null, writeRequests: null }

test('a guest writes as fast as it may, until it is let go', async () => {
  const spec = await specOf()
  await site.driver.create(spec)
  await expect(site.driver.setDiskSpeeds(spec.serverId, free)).rejects.toMatchObject({ kind: 'conflict' })
  await site.driver.start(spec.serverId)
  const seconds = async (): Promise<number> => {
    const started = performance.now()
    const command = ['dd', 'if=/dev/zero', 'of=/root/written', 'bs=256k', 'count=32', 'oflag=direct']
    expect(await site.driver.exec(spec.serverId, command, 60_000)).toMatchObject({ exitCode: 0 })
    return (performance.now() - started) / 1000
  }
  await site.driver.setDiskSpeeds(spec.serverId, { ...free, writeBytes: 2 * 1024 ** 2 })
  const held = await seconds()
  expect(held).toBeGreaterThan(3)
  await site.driver.setDiskSpeeds(spec.serverId, free)
  expect(await seconds()).toBeLessThan(held / 2)
})

test('a suspended guest gives its file pages back to the host, and its limits are as before when it is resumed', async () => {
  const spec = await specOf()
  await site.driver.create(spec)
  await site.driver.start(spec.serverId)
  const limit = `${256 * 1024 ** 2}`
  await site.driver.exec(spec.serverId, ['dd', 'if=/dev/zero', 'of=/var/filler', 'bs=1M', 'count=96'], 30_000)
  await site.driver.exec(spec.serverId, ['sync', '/var/filler'], 30_000)
  const before = Number(await groupValue(spec, 'memory/memory.usage_in_bytes'))
  expect(await site.driver.suspend(spec.serverId)).toBeGreaterThan(48)
  expect(Number(await groupValue(spec, 'memory/memory.usage_in_bytes'))).toBeLessThan(before - 48 * 1024 ** 2)
  expect(await groupValue(spec, 'freezer/freezer.state')).toBe('FROZEN')
  await site.driver.resume(spec.serverId)
  expect(await groupValue(spec, 'freezer/freezer.state')).toBe('THAWED')
  expect(await groupValue(spec, 'memory/memory.memsw.limit_in_bytes')).toBe(limit)
})

test('fixed CPUs are fixed, and given back', async () => {
  const spec = await specOf({ cpuset: '0' })
  await site.driver.create(spec)
  await site.driver.start(spec.serverId)
  expect(await groupValue(spec, 'cpuset/cpuset.cpus')).toBe('0')
  await site.driver.setLimits(spec.serverId, { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 200 })
  expect(await groupValue(spec, 'cpuset/cpuset.cpus')).toBe(`0-${(await site.driver.capacity()).vcpus - 1}`)
})

test('containers of others are listed without a server, and left', async () => {
  const other = await docker.createContainer({ Image: image, name: 'of-another', Cmd: ['true'] })
  try {
    const found = (await site.driver.list()).find(({ guestId }) => guestId === other.id)
    expect(found).toMatchObject({ serverId: null, name: 'of-another', state: 'created' })
  } finally {
    await other.remove({ force: true })
  }
})

test('a guest whose namespace is gone does not start, and says why', async () => {
  const spec = await specOf({ netnsPath: '/nowhere/netns', usernsPath: null })
  await site.driver.create(spec)
  await expect(site.driver.start(spec.serverId)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('/nowhere/netns'),
  })
})

test('a guest whose init ends at once does not count as started, and its last words are told', async () => {
  const spec = await specOf()
  await site.driver.create(spec)
  const { HostConfig, Config } = await containerOf(spec).inspect()
  await containerOf(spec).remove()
  const Cmd = ['sh', '-c', 'echo no hands on deck; exit 3']
  await docker.createContainer({
    name: `berth-${spec.serverId}`,
    Image: image,
    Tty: true,
    Cmd,
    Labels: Config.Labels,
    HostConfig,
  })
  // An init may live just long enough to be seen.
  const refusal = await until(() =>
    site.driver.start(spec.serverId).then(
      () => null,
      (error: unknown) => error,
    ),
  )
  expect(messageOf(refusal)).toMatch(/exit code 3: no hands on deck/)
})

test('a quiet engine does not end the watch', async () => {
  const driver = new DockerDriver({ ...site.engine, lxcfsDir: null, callTimeoutMs: 300 })
  const spec = await specOf()
  await site.driver.create(spec)
  await site.driver.start(spec.serverId)
  const exits: GuestExit[] = []
  const watch = new AbortController()
  const watched = driver.watchExits((exit) => exits.push(exit), watch.signal)
  const quietUntil = performance.now() + 900
  await until(() => performance.now() > quietUntil)
  await site.driver.stop(spec.serverId, 0)
  await until(() => exits.length > 0)
  watch.abort()
  await watched
  expect(exits).toMatchObject([{ serverId: spec.serverId, exitCode: 137 }])
})

test('the watch of an engine that is not there fails', async () => {
  const driver = new DockerDriver({ ...site.engine, lxcfsDir: null, socketPath: join(site.directory, 'nobody.sock') })
  await expect(driver.watchExits(() => undefined, AbortSignal.timeout(5000))).rejects.toMatchObject({
    kind: 'unavailable',
  })
  await expect(driver.capacity()).rejects.toMatchObject({ kind: 'unavailable' })
})
