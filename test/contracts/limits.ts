/** What every driver promises of what a guest may use, has used, and says on its console. */
import { randomUUID } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { until } from '../world/until.ts'
import type { ContractGuests, DriverSite } from './guests.ts'

/** @param site is asked in each test: it may exist only when the tests run */
export function keepsLimits(site: () => DriverSite, { created, booted }: ContractGuests): void {
  test('limits of a guest are changed, running or not', async () => {
    const { driver } = site()
    const { serverId } = await created()
    await driver.setLimits(serverId, { vcpus: 1, cpuset: null, memoryMiB: 384, pidsLimit: 300 })
    expect(await driver.inspect(serverId)).toMatchObject({ memoryMiB: 384, cpuset: null })
    await driver.start(serverId)
    await driver.setLimits(serverId, { vcpus: 1, cpuset: '0', memoryMiB: 512, pidsLimit: 400 })
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'running', memoryMiB: 512, cpuset: '0' })
  })

  test('the speed of a disk is held only while its guest runs', async () => {
    const { driver } = site()
    const speeds = { readBytes: 50_000_000, writeBytes: null, readRequests: null, writeRequests: 5000 }
    const { serverId } = await created()
    await expect(driver.setDiskSpeeds(serverId, speeds)).rejects.toMatchObject({ kind: 'conflict' })
    await expect(driver.setDiskSpeeds(randomUUID(), speeds)).rejects.toMatchObject({ kind: 'not-found' })
    await driver.start(serverId)
    await driver.setDiskSpeeds(serverId, speeds)
    await driver.setDiskSpeeds(serverId, speeds)
    expect(await driver.inspect(serverId)).toMatchObject({ state: 'running' })
  })

  test('a running guest has used CPU, memory and time; one that is off has no figures', async () => {
    const { driver } = site()
    const serverId = await booted()
    const stats = await driver.stats(serverId)
    expect(stats).toMatchObject({ memoryLimitMiB: 256 })
    expect(stats?.cpuNanoseconds).toBeGreaterThan(0)
    expect(stats?.memoryUsedMiB).toBeGreaterThan(0)
    expect(stats?.memoryUsedMiB).toBeLessThanOrEqual(256)
    expect(stats?.uptimeSeconds).toBeLessThan(300)
    await driver.pause(serverId)
    expect(await driver.stats(serverId)).not.toBeNull()
    await driver.stop(serverId, 0)
    expect(await driver.stats(serverId)).toBeNull()
    expect(await driver.stats(randomUUID())).toBeNull()
  })

  test('the console of a guest is empty before it boots, and shows its last lines after', async () => {
    const { driver } = site()
    const { serverId } = await created()
    expect(await driver.consoleLog(serverId, null)).toBe('')
    await driver.start(serverId)
    const whole = await until(
      async () => {
        const text = await driver.consoleLog(serverId, null)
        return text.includes('GNU/Linux') && text.includes('quay') ? text : null
      },
      { timeoutMs: 30_000, what: 'a log-in screen on the console' },
    )
    expect(whole.split('\n').length).toBeGreaterThan(2)
    expect(await driver.consoleLog(serverId, 0)).toBe('')
    expect((await driver.consoleLog(serverId, 1)).replace(/\n$/, '').split('\n')).toHaveLength(1)
  })
}
