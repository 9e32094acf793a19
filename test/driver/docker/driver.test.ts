import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from '@jest/globals'
import { execa } from 'execa'
import { messageOf } from '../../../core/errors.ts'
import { DockerDriver } from '../../../driver/docker/driver.ts'
import type { GuestExit } from '../../../driver/driver.ts'
import { until } from '../../world/index.ts'
import { openGuests } from './guests.ts'

const opened = openGuests()

test('a guest that a killed agent left half made is made anew', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf()
  const { guestId } = await site.driver.create(spec)
  await rm(join(site.engine.ociDirectory, guestId))
  const again = await site.driver.create(spec)
  expect(again.guestId).not.toBe(guestId)
  await site.driver.start(spec.serverId)
  expect((await site.driver.exec(spec.serverId, ['cat', '/root/.ssh/authorized_keys'], 5000)).output).toBe('key')
})

test('a create that fails, or is found half made, leaves the disk that stands aside', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf()
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
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf()
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

/** As an engine leaves it that is killed while it starts a container. @returns its pid as long as it lives, else '' */
async function orphanedShim(directory: string, id: string): Promise<() => Promise<string>> {
  const bundle = join(directory, 'bundle')
  await mkdir(bundle)
  await writeFile(join(bundle, 'config.json'), '{}')
  await writeFile(join(bundle, 'log'), '')
  const words = ['-namespace', 'moby', '-id', id, '-address', join(bundle, 'engine.sock'), 'start']
  const { stdout } = await execa('containerd-shim-runc-v2', words, { cwd: bundle, stdin: 'ignore', timeout: 10_000 })
  await rm(stdout.replace('unix://', ''))
  return async () => (await execa('pgrep', ['--full', `^\\S*containerd-shim.*-id ${id}`], { reject: false })).stdout
}

test('what a broken-off removal left is swept away, and a guest that is there keeps its own', async () => {
  const guests = opened()
  const { site } = guests
  const [gone, kept] = [await guests.specOf(), await guests.specOf()]
  const { guestId } = await site.driver.create(gone)
  const { guestId: keptId } = await site.driver.create(kept)
  await guests.containerOf(gone).remove()
  // A killed engine forgets a container before its groups are gone, and its shim.
  const group = join('/sys/fs/cgroup', 'pids', site.engine.cgroupParent, 'f'.repeat(64))
  await mkdir(join(group, 'init'), { recursive: true })
  const shim = await orphanedShim(site.directory, 'f'.repeat(64))
  expect(await shim()).not.toBe('')
  expect((await site.driver.sweep()).toSorted()).toEqual([guestId, 'f'.repeat(64)].toSorted())
  expect(existsSync(group)).toBe(false)
  await until(async () => (await shim()) === '')
  expect(await readdir(site.engine.ociDirectory)).toEqual([keptId])
  expect(await site.driver.sweep()).toEqual([])
})

test('directories of the image keep their owner and mode when files are put into them', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf({
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
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf({
    files: [{ path: '/var/run/../lock/x', mode: 0o644, content: 'x', owner: 'root' }],
  })
  await expect(site.driver.create(spec)).rejects.toMatchObject({ kind: 'invalid' })
  const linked = await guests.specOf({
    files: [{ path: '/bin/greet', mode: 0o755, content: '#!/bin/sh\necho hi\n', owner: 'root' }],
  })
  await site.driver.create(linked)
  await site.driver.start(linked.serverId)
  expect((await site.driver.exec(linked.serverId, ['/usr/bin/greet'], 5000)).output).toBe('hi\n')
})

test('containers of others are listed without a server, and left', async () => {
  const guests = opened()
  const { site } = guests
  const other = await guests.docker.createContainer({ Image: guests.image, name: 'of-another', Cmd: ['true'] })
  try {
    const found = (await site.driver.list()).find(({ guestId }) => guestId === other.id)
    expect(found).toMatchObject({ serverId: null, name: 'of-another', state: 'created' })
  } finally {
    await other.remove({ force: true })
  }
})

test('a guest whose namespace is gone does not start, and says why', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf({ netnsPath: '/nowhere/netns', usernsPath: null })
  await site.driver.create(spec)
  await expect(site.driver.start(spec.serverId)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('/nowhere/netns'),
  })
})

test('a guest whose init ends at once does not count as started, and its last words are told', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf()
  await site.driver.create(spec)
  const { HostConfig, Config } = await guests.containerOf(spec).inspect()
  await guests.containerOf(spec).remove()
  const Cmd = ['sh', '-c', 'echo no hands on deck; exit 3']
  await guests.docker.createContainer({
    name: `berth-${spec.serverId}`,
    Image: guests.image,
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
  const guests = opened()
  const { site } = guests
  const driver = new DockerDriver({ ...site.engine, lxcfsDir: null, callTimeoutMs: 300 })
  const spec = await guests.running()
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
  const { site } = opened()
  const driver = new DockerDriver({ ...site.engine, lxcfsDir: null, socketPath: join(site.directory, 'nobody.sock') })
  await expect(driver.watchExits(() => undefined, AbortSignal.timeout(5000))).rejects.toMatchObject({
    kind: 'unavailable',
  })
  await expect(driver.capacity()).rejects.toMatchObject({ kind: 'unavailable' })
})

test('guests of another home on the same engine are told apart by where their namespaces stand', async () => {
  const guests = opened()
  const { site } = guests
  const [own, other] = [await guests.specOf(), await guests.specOf()]
  await site.driver.create(own)
  await site.driver.create({ ...other, netnsPath: join('/elsewhere/run/netns', other.serverId) })
  expect(await site.driver.serversIn(dirname(own.netnsPath))).toEqual(new Set([own.serverId]))
  expect(await site.driver.serversIn('/elsewhere/run/netns')).toEqual(new Set([other.serverId]))
  await site.driver.remove(other.serverId)
})
