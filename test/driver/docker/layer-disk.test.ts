/** What a guest wrote is carried into another container of its image, while it runs and after, and is the same there. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import Docker from 'dockerode'
import { execa } from 'execa'
import { z } from 'zod'
import { changedSince, type DiskEntry, type DiskPart, type GuestDisk } from '../../../driver/disk.ts'
import { setAttribute } from '../../../driver/docker/xattr.ts'
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

interface Subject {
  readonly serverId: string
  readonly disk: GuestDisk
  readonly upper: string
  readonly userns: string | null
}

async function subject(): Promise<Subject> {
  const serverId = randomUUID()
  made.push(serverId)
  const namespace = await site.namespace(serverId)
  const size = { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 200, diskGiB: null }
  await site.driver.create({ serverId, hostname: 'quay', image, ...size, ...namespace, dns: [], hosts: [], files: [] })
  const disk = await site.driver.disk(serverId)
  if (!disk) throw new Error('the storage driver keeps no files apart')
  const { GraphDriver } = await docker.getContainer(`berth-${serverId}`).inspect()
  const upper = z.object({ UpperDir: z.string() }).parse(GraphDriver.Data).UpperDir
  return { serverId, disk, upper, userns: namespace.usernsPath }
}

async function run({ serverId }: Subject, script: string): Promise<void> {
  const { exitCode, output } = await site.driver.exec(serverId, ['sh', '-ec', script], 60_000)
  if (exitCode !== 0) throw new Error(`${script}: ${output}`)
}

/** Of every name, owner, mode, time, content, attribute, hole and link, as the guest has them, and of what overlayfs marked. */
async function hash({ upper, userns, disk }: Subject): Promise<string> {
  const names = ['--sort=name', '--format=posix', '--pax-option=delete=atime,delete=ctime,exthdr.name=%d/x/%f']
  const kept = ['--numeric-owner', '--sparse', '--sparse-version=0.0', '--acls', '--xattrs', '--xattrs-include=*']
  const tar = ['tar', '--create', ...names, ...kept, '.']
  const [program = '', ...words] = userns === null ? tar : ['nsenter', `--user=${userns}`, ...tar]
  const { stdout } = await execa(program, words, { cwd: upper, encoding: 'buffer', maxBuffer: 400_000_000 })
  const marks = (await disk.list(false)).filter(({ isOpaque }) => isOpaque).map(({ path }) => path)
  return createHash('sha256').update(stdout).update(marks.toSorted().join('\n')).digest('hex')
}

async function carry(from: Subject, to: Subject, part: DiskPart): Promise<void> {
  await to.disk.write(from.disk.read(part))
}

function changed(before: readonly DiskEntry[], now: readonly DiskEntry[]): readonly string[] {
  return changedSince(new Map(before.map(({ path, stamp }) => [path, stamp])), now).map(({ path }) => path)
}

/** The guest is off: what changed since `before` goes over. @returns how many files that were */
async function finish(from: Subject, to: Subject, before: readonly DiskEntry[]): Promise<number> {
  const now = await from.disk.list(false)
  const paths = changed(before, now)
  await to.disk.clear(now, new Set(paths))
  if (paths.length > 0) await carry(from, to, { kind: 'these', paths })
  to.disk.mark(now)
  return paths.length
}

const everyKind = `
mkdir -p /srv/deep/er /srv/odd; cd /srv
printf one > one; chown 33:33 one; chmod 4750 one; touch -d '2001-02-03 04:05:06.123456789' one; ln one two
ln -s /etc/passwd link; mkfifo pipe; truncate -s 20M hole; printf x | dd of=hole bs=1 seek=9M conv=notrunc 2>/dev/null
head -c 300000 /dev/urandom > deep/er/bytes; printf odd > "odd/$(printf 'a\\nb\\377 c')"; chmod 1777 odd
rm /etc/issue; rm -r /etc/skel; mkdir /etc/skel; printf new > /etc/skel/new; chmod 0500 deep`
const changes = `
cd /srv; chmod 0700 deep; mv deep moved; printf two >> two; rm link; mkdir link; printf in > link/in; rm -r odd; printf file > odd
touch -r one three; rm pipe; printf back > /etc/issue; rm -r /etc/skel; rm /etc/debian_version; mkdir /etc/apt/new`

test('all kinds of files arrive as they are, and so do changes made meanwhile', async () => {
  const [from, to] = [await subject(), await subject()]
  await site.driver.start(from.serverId)
  await run(from, everyKind)
  // The guest's root may set these itself; the small image has no program for it.
  setAttribute(join(from.upper, 'srv/one'), 'user.note', 'kept')
  const owner = Buffer.alloc(4)
  owner.writeUInt32LE((await site.driver.capacity()).guestRootUid)
  // Of the third kind, for the root of one user namespace: linux/capability.h, vfs_ns_cap_data.
  const capability = Buffer.from('0100000300200000000000000000000000000000', 'hex').toString('latin1')
  setAttribute(join(from.upper, 'srv/deep/er/bytes'), 'security.capability', capability + owner.toString('latin1'))

  const first = await from.disk.list(true)
  await carry(from, to, { kind: 'all' })
  await run(from, changes)
  const second = await from.disk.list(true)
  await to.disk.clear(second, new Set(changed(first, second)))
  await carry(from, to, { kind: 'newer', seconds: Date.now() / 1000 - 600 })
  await run(from, 'printf last > /srv/last; sync')

  await site.driver.stop(from.serverId, 20)
  await finish(from, to, first)
  expect(await hash(to)).toBe(await hash(from))
  expect(await finish(from, to, await from.disk.list(false))).toBe(0)
  await site.driver.start(to.serverId)
  const shown = 'cat /srv/two /srv/link/in /srv/odd /etc/issue; ls -d /etc/skel /etc/debian_version 2>&1 | wc -l'
  expect((await site.driver.exec(to.serverId, ['sh', '-c', shown], 5000)).output).toBe('onetwoinfileback2\n')
})

test('a file that is written without a new size or time is carried again', async () => {
  const [from, to] = [await subject(), await subject()]
  await site.driver.start(from.serverId)
  await run(from, 'printf aaaa > /srv/same; touch -d 2020-01-01 /srv/same; sleep 1.5')
  const first = await from.disk.list(true)
  await carry(from, to, { kind: 'all' })
  await run(from, 'printf bbbb > /srv/same; touch -d 2020-01-01 /srv/same')
  await site.driver.stop(from.serverId, 0)
  await finish(from, to, first)
  expect(await hash(to)).toBe(await hash(from))
})

test('a way out of the disk, laid by its guest, leads nowhere', async () => {
  const [from, to] = [await subject(), await subject()]
  await site.driver.start(from.serverId)
  await run(from, 'mkdir /srv/away; printf secret > /srv/away/target')
  const outside = join(site.directory, 'outside')
  mkdirSync(outside)
  // As if an earlier pass had brought a link where there is a directory now.
  symlinkSync(outside, join(to.upper, 'srv'))
  await site.driver.stop(from.serverId, 0)
  await finish(from, to, [])
  expect((await execa('ls', ['-A', outside])).stdout).toBe('')
  expect(await hash(to)).toBe(await hash(from))
})

test('a disk that is broken off is told, and the next try makes it whole', async () => {
  const [from, to] = [await subject(), await subject()]
  await site.driver.start(from.serverId)
  await run(from, 'head -c 30000000 /dev/urandom > /srv/large')
  await site.driver.stop(from.serverId, 0)
  const archive = from.disk.read({ kind: 'all' })
  archive.once('data', () => archive.destroy(new Error('cut')))
  await expect(to.disk.write(archive)).rejects.toThrow()
  await finish(from, to, [])
  expect(await hash(to)).toBe(await hash(from))
})
