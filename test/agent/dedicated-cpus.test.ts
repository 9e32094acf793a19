import { randomUUID } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { chooseCpus } from '../../agent/dedicated-cpus.ts'
import { Unsupported } from '../../core/errors.ts'
import { FakeDriver } from '../../driver/fake/driver.ts'

const image = 'registry/images/debian@sha256:0'

async function host(vcpus: number): Promise<(cpuset: string | null) => Promise<FakeDriver>> {
  const driver = new FakeDriver({
    images: new Map([[image, true]]),
    capacity: {
      vcpus,
      memoryMiB: 8192,
      diskGiB: 100,
      hypervisorType: 'fake',
      hypervisorVersion: '1',
      storageDriver: 'overlay2',
      cgroupVersion: 2,
      enforcesDisk: false,
      guestRootUid: 0,
    },
  })
  const local = await driver.ensureImage(image)
  return async (cpuset) => {
    await driver.create({
      serverId: randomUUID(),
      hostname: 'quay',
      image: local,
      vcpus: 1,
      cpuset,
      memoryMiB: 256,
      pidsLimit: 100,
      diskGiB: null,
      netnsPath: '/nowhere',
      usernsPath: null,
      dns: [],
      hosts: [],
      files: [],
    })
    return driver
  }
}

test('a guest gets the CPUs that no other has', async () => {
  const add = await host(4)
  await add(null)
  await add('0-1')
  const driver = await add('3')
  expect(await chooseCpus(driver, randomUUID(), 1)).toBe('2')
})

test('where all are taken, it shares those that the fewest have', async () => {
  const add = await host(3)
  await add('0-2')
  const driver = await add('0')
  expect(await chooseCpus(driver, randomUUID(), 2)).toBe('1,2')
})

test('more CPUs than the host has are refused', async () => {
  const add = await host(2)
  await expect(chooseCpus(await add(null), randomUUID(), 3)).rejects.toThrow(Unsupported)
})
