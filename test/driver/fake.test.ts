import { describe } from '@jest/globals'
import { FakeDriver } from '../../driver/fake/driver.ts'
import { keepsDisks } from '../contracts/disks.ts'
import { keepsTheDriverContract } from '../contracts/driver.ts'

const capacity = {
  vcpus: 8,
  memoryMiB: 16_384,
  diskGiB: 100,
  hypervisorType: 'fake',
  hypervisorVersion: '1',
  storageDriver: 'memory',
  cgroupVersion: 2,
  enforcesDisk: false,
  guestRootUid: 0,
}
const images = new Map([
  ['registry/boots', true],
  ['registry/initless', false],
])

const driver = new FakeDriver({ capacity, images })

const site = () => ({
  driver,
  bootable: 'registry/boots',
  initless: 'registry/initless',
  missing: 'registry/nowhere',
  namespaces: () => Promise.resolve({ netnsPath: '/nowhere', usernsPath: null }),
})
keepsTheDriverContract(site)
describe('disks', () => {
  keepsDisks(site)
})
