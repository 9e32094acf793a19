/** What every driver promises. Apply it in the driver's own test file. */
import { randomUUID } from 'node:crypto'
import { expect, test } from '@jest/globals'
import type { GuestExit } from '../../driver/driver.ts'
import { contractGuests, greeting, type DriverSite } from './guests.ts'
import { keepsLimits } from './limits.ts'

const graceSeconds = 20

/** @param site is asked in each test: it may exist only when the tests run */
export function keepsTheDriverContract(site: () => DriverSite): void {
  const guests = contractGuests(site)
  const { specOf, created, running, booted, exitsDuring } = guests

  keepsLimits(site, guests)

  test('an image keeps its id when it is asked for again', async () => {
    const { driver, bootable } = site()
    const id = await driver.ensureImage(bootable)
    expect(await driver.ensureImage(bootable)).toBe(id)
  })

  test('an image that was asked for is among those that are here', async () => {
    const { driver, bootable } = site()
    await driver.ensureImage(bootable)
    expect(await driver.images()).toContain(bootable)
  })

  test('an image without an init is refused with the reason', async () => {
    await expect(site().driver.ensureImage(site().initless)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('has no init'),
    })
  })

  test('an image that is not in the registry is refused', async () => {
    await expect(site().driver.ensureImage(site().missing)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('is not in the registry'),
    })
  })

  test('a created guest does not run', async () => {
    const guest = await created({ memoryMiB: 320 })
    expect(guest).toMatchObject({ state: 'created', pid: null, exitCode: null, startedAt: null, memoryMiB: 320 })
    expect(await site().driver.inspect(guest.serverId)).toEqual(guest)
  })

  test('a guest that is created twice is made once', async () => {
    const spec = await specOf()
    const [first, second] = [await site().driver.create(spec), await site().driver.create(spec)]
    expect(second).toEqual(first)
    expect((await site().driver.list()).filter(({ serverId }) => serverId === spec.serverId)).toHaveLength(1)
  })

  test('a failed create leaves nothing behind', async () => {
    const spec = await specOf({ image: `sha256:${'0'.repeat(64)}` })
    await expect(site().driver.create(spec)).rejects.toMatchObject({
      kind: expect.stringMatching(/invalid|unavailable/),
    })
    expect(await site().driver.inspect(spec.serverId)).toBeNull()
  })

  test('a started guest runs, with its hostname and its files', async () => {
    const { driver } = site()
    const { serverId } = await created()
    const before = Date.now()
    const guest = await driver.start(serverId)
    expect(guest).toMatchObject({ state: 'running', serverId, exitCode: null })
    expect(guest.pid).toBeGreaterThan(1)
    expect(guest.startedAt?.getTime()).toBeGreaterThan(before - 1000)
    expect(await driver.exec(serverId, ['hostname'], 5000)).toEqual({ exitCode: 0, output: 'quay\n' })
    expect(await driver.exec(serverId, ['cat', '/etc/greeting'], 5000)).toEqual({ exitCode: 0, output: greeting })
  })

  test('starting a running guest changes nothing', async () => {
    const serverId = await running()
    const guest = await site().driver.inspect(serverId)
    expect(await site().driver.start(serverId)).toEqual(guest)
  })

  test('a guest that is not there cannot be started, paused or told anything', async () => {
    const { driver } = site()
    const nobody = randomUUID()
    await expect(driver.start(nobody)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(driver.pause(nobody)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(driver.exec(nobody, ['true'], 5000)).rejects.toMatchObject({ kind: 'not-found' })
    expect(await driver.inspect(nobody)).toBeNull()
    expect(await driver.consoleLog(nobody, null)).toBe('')
  })

  test('stopping or removing what is not there succeeds', async () => {
    const nobody = randomUUID()
    await site().driver.stop(nobody, graceSeconds)
    await site().driver.remove(nobody)
    const { serverId } = await created()
    await site().driver.stop(serverId, graceSeconds)
    expect(await site().driver.inspect(serverId)).toMatchObject({ state: 'created' })
  })

  test('a guest that is asked to stop powers itself off, and starts again', async () => {
    const { driver } = site()
    const serverId = await booted()
    expect(await exitsDuring(serverId, () => driver.stop(serverId, graceSeconds))).toMatchObject([{ exitCode: 130 }])
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'stopped', pid: null, exitCode: 130 })
    await driver.stop(serverId, graceSeconds)
    expect(await driver.start(serverId)).toMatchObject({ state: 'running', exitCode: null })
  })

  test('a guest that has only begun to boot hears that it is to stop', async () => {
    const serverId = await running()
    await site().driver.stop(serverId, graceSeconds)
    expect(await site().driver.inspect(serverId)).toMatchObject({ state: 'stopped', exitCode: 130 })
  })

  test('a guest without grace is killed', async () => {
    const serverId = await running()
    await site().driver.stop(serverId, 0)
    expect(await site().driver.inspect(serverId)).toMatchObject({ state: 'stopped', exitCode: 137 })
  })

  test.each([
    ['reboot', 129],
    ['poweroff', 130],
  ])('%s from inside ends the guest with %d, and the watcher is told once', async (command, exitCode) => {
    const { driver } = site()
    const serverId = await booted()
    const { guestId } = (await driver.inspect(serverId)) ?? {}
    // The guest may be gone before the command has answered.
    const exits = await exitsDuring(serverId, () => driver.exec(serverId, [command], 20_000).catch(() => undefined))
    expect(exits).toEqual([{ guestId, serverId, exitCode }])
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'stopped', exitCode })
    expect(await driver.start(serverId)).toMatchObject({ guestId, state: 'running' })
  })

  test('a running guest is removed with all of it', async () => {
    const serverId = await running()
    await site().driver.remove(serverId)
    expect(await site().driver.inspect(serverId)).toBeNull()
    await site().driver.remove(serverId)
  })

  test('a paused guest reads paused, twice too, until it is unpaused', async () => {
    const { driver } = site()
    const serverId = await running()
    await driver.pause(serverId)
    await driver.pause(serverId)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'paused', exitCode: null })
    await driver.unpause(serverId)
    await driver.unpause(serverId)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'running' })
  })

  test('a suspended guest stands still, twice too, until it is resumed', async () => {
    const { driver } = site()
    const serverId = await running()
    expect(await driver.suspend(serverId)).toBeGreaterThanOrEqual(0)
    await driver.suspend(serverId)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'paused', exitCode: null })
    await driver.resume(serverId)
    await driver.resume(serverId)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'running' })
    expect(await driver.exec(serverId, ['hostname'], 5000)).toEqual({ exitCode: 0, output: 'quay\n' })
  })

  test('a paused guest can be stopped, started and removed', async () => {
    const { driver } = site()
    const serverId = await booted()
    await driver.pause(serverId)
    await driver.stop(serverId, graceSeconds)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'stopped', exitCode: 130 })
    await driver.start(serverId)
    await driver.pause(serverId)
    expect(await driver.start(serverId)).toMatchObject({ state: 'running' })
    await driver.pause(serverId)
    await driver.remove(serverId)
    expect(await driver.inspect(serverId)).toBeNull()
  })

  test('a guest that does not run can be neither paused nor told anything', async () => {
    const { serverId } = await created()
    await expect(site().driver.pause(serverId)).rejects.toMatchObject({ kind: 'conflict' })
    await expect(site().driver.exec(serverId, ['true'], 5000)).rejects.toMatchObject({ kind: 'conflict' })
  })

  test('a command tells its exit code, and one that takes too long is given up', async () => {
    const { driver } = site()
    const serverId = await running()
    expect(await driver.exec(serverId, ['false'], 5000)).toEqual({ exitCode: 1, output: '' })
    await expect(driver.exec(serverId, ['sleep', '60'], 300)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('a command reads what it is given, to the end', async () => {
    const serverId = await running()
    const input = 'root:geheim\nmia:naïve\n'
    expect(await site().driver.exec(serverId, ['cat'], 5000, input)).toEqual({ exitCode: 0, output: input })
  })

  test('a watcher hears nothing more once it is told to stop', async () => {
    const serverId = await running()
    const exits: GuestExit[] = []
    const watch = new AbortController()
    const watched = site().driver.watchExits((exit) => exits.push(exit), watch.signal)
    watch.abort()
    await watched
    await site().driver.stop(serverId, 0)
    expect(exits).toEqual([])
  })

  test('a host has a capacity', async () => {
    const { vcpus, memoryMiB, diskGiB } = await site().driver.capacity()
    expect(Math.min(vcpus, memoryMiB, diskGiB)).toBeGreaterThan(0)
  })
}
