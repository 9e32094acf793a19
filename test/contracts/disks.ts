/** What every driver promises of the disks of guests: they are read while the guest goes on, and stand aside for another one's. */
import { afterEach, expect, test } from '@jest/globals'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import type { Captured, Fate, GuestSpec } from '../../driver/driver.ts'
import { specFor, type DriverSite } from './guests.ts'

const graceSeconds = 20
const greeting = ['cat', '/etc/greeting']

/** Names and texts of an archive. */
async function filesIn({ archive }: Captured): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  const entries = extract()
  archive.on('error', (error) => entries.destroy(error))
  archive.pipe(entries)
  for await (const entry of entries) {
    files.set(entry.header.name, await text(entry))
  }
  return files
}

/** @param site is asked in each test: it may exist only when the tests run */
export function keepsDisks(site: () => DriverSite): void {
  const made: string[] = []

  async function create(change: Partial<GuestSpec> = {}): Promise<string> {
    const spec = await specFor(site(), change)
    made.push(spec.serverId)
    await site().driver.create(spec)
    return spec.serverId
  }
  async function captured(serverId: string, fateOf: (path: string) => Fate): Promise<ReadonlyMap<string, string>> {
    const scratch = await mkdtemp(join(tmpdir(), 'capture-'))
    try {
      return await filesIn(await site().driver.capture(serverId, { scratch, isWhole: false, fateOf }))
    } finally {
      expect(await readdir(scratch)).toEqual([])
      await rm(scratch, { recursive: true })
    }
  }

  afterEach(async () => {
    for (const serverId of made.splice(0)) await site().driver.remove(serverId)
    expect((await site().driver.list()).filter(({ serverId }) => serverId !== null)).toEqual([])
  })

  test('the disk of a running guest is read as it is, and the guest runs on', async () => {
    const { driver } = site()
    const serverId = await create()
    await driver.start(serverId)
    const before = await driver.inspect(serverId)
    expect((await captured(serverId, () => 'keep')).get('etc/greeting')).toBe('Grüße aus dem Hafen\n')
    expect(await driver.inspect(serverId)).toEqual(before)
    await driver.pause(serverId)
    expect((await captured(serverId, () => 'keep')).has('etc/greeting')).toBe(true)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'paused' })
  })

  test('of a disk that is read, files are left out or left empty', async () => {
    const serverId = await create()
    const dropped = await captured(serverId, (path) => (path === 'etc/greeting' ? 'drop' : 'keep'))
    expect(dropped.has('etc/greeting')).toBe(false)
    const blanked = await captured(serverId, (path) => (path === 'etc/greeting' ? 'blank' : 'keep'))
    expect(blanked.get('etc/greeting')).toBe('')
    await expect(captured('00000000-0000-4000-8000-000000000000', () => 'keep')).rejects.toMatchObject({
      kind: 'not-found',
    })
  })

  test('a guest that stepped aside is whole when it is brought back, and the one in its place is gone', async () => {
    const { driver } = site()
    const serverId = await create()
    await driver.start(serverId)
    await expect(driver.setAside(serverId)).rejects.toMatchObject({ kind: 'conflict' })
    await driver.stop(serverId, 0)
    await driver.setAside(serverId)
    expect(await driver.inspect(serverId)).toBeNull()

    const files = [{ path: '/etc/greeting', mode: 0o644, content: 'second\n', owner: 'root' as const }]
    await create({ serverId, files, memoryMiB: 320 })
    await driver.start(serverId)
    expect(await driver.exec(serverId, greeting, 5000)).toMatchObject({ output: 'second\n' })
    expect(await driver.inspect(serverId)).toMatchObject({ memoryMiB: 320 })

    await driver.stop(serverId, 0)
    await driver.setAside(serverId)
    expect(await driver.inspect(serverId)).toBeNull()
    await driver.bringBack(serverId)
    await driver.bringBack(serverId)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'stopped', memoryMiB: 256 })
    await driver.start(serverId)
    expect(await driver.exec(serverId, greeting, 5000)).toMatchObject({ output: 'Grüße aus dem Hafen\n' })
  })

  test('a guest that was set aside is dropped, or goes with its server', async () => {
    const { driver } = site()
    const serverId = await create()
    await driver.setAside(serverId)
    await create({ serverId })
    await driver.dropAside(serverId)
    await driver.dropAside(serverId)
    await driver.bringBack(serverId)
    expect((await driver.list()).filter((one) => one.serverId === serverId)).toHaveLength(1)
    await driver.start(serverId)
    await driver.stop(serverId, graceSeconds)
    await driver.setAside(serverId)
    await driver.remove(serverId)
    expect((await driver.list()).filter((one) => one.serverId === serverId)).toEqual([])
  })

  const lsblk = ['lsblk', '--bytes', '--noheadings', '--raw', '--sort=NAME', '--output=NAME,SIZE,TYPE,MOUNTPOINT']
  const gib = 1024 ** 3
  async function seenIn(serverId: string): Promise<string> {
    return (await site().driver.exec(serverId, lsblk, 5000)).output
  }
  const bothDisks = (rootGiB: number, ephemeralGiB: number): string =>
    `vda ${rootGiB * gib} disk /\nvdb ${ephemeralGiB * gib} disk /mnt\n`

  test('a guest sees its own disks and none of its host, after a restart too, and as they grow', async () => {
    const { driver } = site()
    const serverId = await create({ disks: { rootGiB: 3, ephemeralGiB: 1 } })
    for (const time of ['first', 'second']) {
      await driver.start(serverId)
      expect([time, await seenIn(serverId)]).toEqual([time, bothDisks(3, 1)])
      await driver.stop(serverId, 0)
    }
    const limits = { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 256 }
    await driver.start(serverId)
    await driver.setLimits(serverId, { ...limits, disks: { rootGiB: 5, ephemeralGiB: 2 } })
    expect(await seenIn(serverId)).toBe(bothDisks(5, 1))
    for (const ephemeralGiB of [2, 1]) {
      await driver.setLimits(serverId, { ...limits, disks: { rootGiB: 5, ephemeralGiB } })
      await driver.stop(serverId, 0)
      await driver.start(serverId)
      expect([ephemeralGiB, await seenIn(serverId)]).toEqual([ephemeralGiB, bothDisks(5, 2)])
    }
  })

  test('a guest that is made without an ephemeral disk gets none by its limits', async () => {
    const { driver } = site()
    const serverId = await create({ disks: { rootGiB: 3, ephemeralGiB: 0 } })
    await driver.start(serverId)
    const limits = { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 256 }
    await driver.setLimits(serverId, { ...limits, disks: { rootGiB: 3, ephemeralGiB: 1 } })
    expect(await seenIn(serverId)).toBe(`vda ${3 * gib} disk /\n`)
  })
}
