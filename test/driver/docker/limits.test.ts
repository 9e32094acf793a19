import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from '@jest/globals'
import { execa } from 'execa'
import { openGuests } from './guests.ts'

const opened = openGuests()

test('limits are the kernel’s, from the start and when they change', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.running()
  const limits = (): Promise<string[]> =>
    Promise.all(
      [
        'memory/memory.limit_in_bytes',
        'memory/memory.memsw.limit_in_bytes',
        'pids/pids.max',
        'cpu/cpu.cfs_quota_us',
      ].map((file) => guests.groupValue(spec, file)),
    )
  expect(await limits()).toEqual([`${256 * 1024 ** 2}`, `${256 * 1024 ** 2}`, '200', '100000'])
  await site.driver.setLimits(spec.serverId, { vcpus: 2, cpuset: null, memoryMiB: 512, pidsLimit: 300 })
  expect(await limits()).toEqual([`${512 * 1024 ** 2}`, `${512 * 1024 ** 2}`, '300', '200000'])
})

test('a guest has its share of CPU time and no more, from the start and when it changes', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.running({ cpu: { shares: 512, periodMicroseconds: 50_000, quotaMicroseconds: 20_000 } })
  const limits = (): Promise<string[]> =>
    Promise.all(['shares', 'cfs_period_us', 'cfs_quota_us'].map((file) => guests.groupValue(spec, `cpu/cpu.${file}`)))
  expect(await limits()).toEqual(['512', '50000', '20000'])
  const burn = ['sh', '-c', 'timeout 1 sh -c "while :; do :; done"']
  const used = async (): Promise<number> => Number(await guests.groupValue(spec, 'cpuacct/cpuacct.usage'))
  const [before, began] = [await used(), performance.now()]
  await site.driver.exec(spec.serverId, burn, 20_000)
  const cpuMs = ((await used()) - before) / 1e6
  expect(cpuMs / (performance.now() - began)).toBeLessThan(0.6)
  await site.driver.setLimits(spec.serverId, { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 200 })
  expect(await limits()).toEqual(['1024', '100000', '100000'])
})

const free = { readBytes: null, writeBytes: null, readRequests: null, writeRequests: null }

test('a guest writes as fast as it may, until it is let go', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf()
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
  const guests = opened()
  const { site } = guests
  const spec = await guests.running()
  const limit = `${256 * 1024 ** 2}`
  await site.driver.exec(spec.serverId, ['dd', 'if=/dev/zero', 'of=/var/filler', 'bs=1M', 'count=96'], 30_000)
  await site.driver.exec(spec.serverId, ['sync', '/var/filler'], 30_000)
  const before = Number(await guests.groupValue(spec, 'memory/memory.usage_in_bytes'))
  expect(await site.driver.suspend(spec.serverId)).toBeGreaterThan(48)
  expect(Number(await guests.groupValue(spec, 'memory/memory.usage_in_bytes'))).toBeLessThan(before - 48 * 1024 ** 2)
  expect(await guests.groupValue(spec, 'freezer/freezer.state')).toBe('FROZEN')
  await site.driver.resume(spec.serverId)
  expect(await guests.groupValue(spec, 'freezer/freezer.state')).toBe('THAWED')
  expect(await guests.groupValue(spec, 'memory/memory.memsw.limit_in_bytes')).toBe(limit)
})

test('fixed CPUs are fixed, and given back', async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.running({ cpuset: '0' })
  expect(await guests.groupValue(spec, 'cpuset/cpuset.cpus')).toBe('0')
  await site.driver.setLimits(spec.serverId, { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 200 })
  expect(await guests.groupValue(spec, 'cpuset/cpuset.cpus')).toBe(`0-${(await site.driver.capacity()).vcpus - 1}`)
})

test("an ephemeral disk is the guest's own, ends where it ends, stays through restarts and goes with its guest", async () => {
  const guests = opened()
  const { site } = guests
  const spec = await guests.specOf({ disks: { rootGiB: 3, ephemeralGiB: 1 } })
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
  const { Mounts: mounts } = await guests.containerOf(spec).inspect()
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
