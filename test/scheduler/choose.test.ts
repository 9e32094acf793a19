/** Each filter and each weigher, on hosts of a database. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { settings, type Config } from '../../core/config.ts'
import type { ServerFlavor } from '../../core/server.ts'
import { hostsWithImage, reportImages } from '../../db/host-images.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import type { HostRow } from '../../db/tables.ts'
import { choose, type Choice } from '../../scheduler/choose.ts'
import { nobody } from '../../scheduler/neighbours.ts'
import type { Question, Wish } from '../../scheduler/question.ts'
import { addHost, startApi, type TestApi } from '../api/fixture.ts'

const names = ['host-1', 'host-2', 'host-3'] as const
const flavor: ServerFlavor = { id: '1', name: 'm1.one', vcpus: 1, memoryMiB: 512, diskGiB: 1, extraSpecs: {} }
const image = `registry.test/images/debian@sha256:${'a'.repeat(64)}`

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
beforeEach(async () => {
  for (const table of ['aggregate_hosts', 'aggregates', 'host_images', 'hosts'] as const) await api.db(table).delete()
  for (const name of names) await addHost(api.db, name)
})
afterAll(async () => {
  await api.stop()
})

async function change(name: string, columns: Partial<HostRow>): Promise<void> {
  await api.db('hosts').where({ name }).update(columns)
}

interface Asked {
  readonly wish?: Partial<Wish>
  readonly question?: Partial<Omit<Question, 'server'>>
  readonly rules?: Partial<Config>
}

async function ask({ wish = {}, question = {}, rules = {} }: Asked = {}): Promise<Choice> {
  const server: Wish = {
    flavor,
    failedHosts: {},
    requestedHost: null,
    pinnedZone: null,
    hints: {},
    serverGroupId: null,
    projectId: 'shop',
    imageReference: image,
    lot: 'a',
    ...wish,
  }
  const asked = { server, neighbours: nobody, imageHosts: new Set<string>(), portsByRack: new Map(), ...question }
  return choose(await hostsWithUse(api.db), asked, settings.parse({ home: '/nowhere', ...rules }))
}

async function reason(asked: Asked = {}): Promise<string | undefined> {
  return (await ask(asked)).reasons['host-2']
}

test('a host that is silent, declared down or in trouble is passed by, and says so', async () => {
  await change('host-2', { heartbeatAt: new Date(Date.now() - 300_000) })
  expect(await reason()).toMatch(/^its agent has been silent for 30\d s$/)
  await change('host-2', { heartbeatAt: new Date(), isForcedDown: true })
  expect(await reason()).toBe('an administrator has declared it down')
  await change('host-2', { isForcedDown: false, problem: 'Docker does not answer' })
  expect(await reason()).toBe('Docker does not answer')
})

test.each([
  ['disabled', 'it is disabled (new disks)'],
  ['draining', 'it is being drained (new disks)'],
  ['maintenance', 'it is in maintenance (new disks)'],
] as const)('a host that is %s says: %s', async (disabledAs, text) => {
  await change('host-2', { isEnabled: false, disabledAs, disabledReason: 'new disks' })
  expect(await reason()).toBe(text)
})

test('zone, named host and an earlier failure are reasons', async () => {
  await change('host-2', { zone: 'west' })
  expect(await reason({ wish: { pinnedZone: 'nova' } })).toBe('it is in zone west, not nova')
  expect(await reason({ wish: { requestedHost: 'host-1' } })).toBe('host host-1 was asked for')
  expect(await reason({ wish: { failedHosts: { 'host-2': 'it broke' } } })).toBe('it broke')
})

test('an aggregate is for flavors that ask for it, and for its own projects', async () => {
  await api.db('aggregates').insert({ uuid: randomUUID(), name: 'fast', metadata: { disks: 'ssd,nvme' } })
  const { id } = (await api.db('aggregates').where({ name: 'fast' }).first('id')) ?? { id: 0 }
  await api.db('aggregate_hosts').insert({ aggregateId: id, host: 'host-1' })
  const fast = { ...flavor, extraSpecs: { 'aggregate_instance_extra_specs:disks': 'nvme' } }
  expect((await ask({ wish: { flavor: fast } })).fitting.map(({ host }) => host.name)).toEqual(['host-1'])
  expect(await reason({ wish: { flavor: fast } })).toBe('none of its aggregates says disks=nvme, as flavor m1.one asks')
  await api
    .db('aggregates')
    .where({ id })
    .update({ metadata: { filter_tenant_id: 'bank' } })
  expect((await ask()).reasons['host-1']).toBe('aggregate fast is for other projects')
  expect((await ask({ wish: { projectId: 'bank' } })).fitting).toHaveLength(3)
})

test('traits are required or forbidden: those of the machine, and those that an operator has set', async () => {
  await change('host-1', {
    traits: { datapath: 'system', enforcesDisk: true, storageDriver: 'btrfs', cgroupVersion: 2 },
  })
  await change('host-2', { traits: { datapath: 'netdev', storageDriver: 'overlay2' }, setTraits: ['CUSTOM_LOUD'] })
  const asking = (extraSpecs: Readonly<Record<string, string>>): Asked => ({
    wish: { flavor: { ...flavor, extraSpecs } },
  })
  for (const trait of ['CUSTOM_DATAPATH_SYSTEM', 'CUSTOM_DISK_QUOTA', 'CUSTOM_STORAGE_BTRFS', 'CUSTOM_CGROUP_V2'])
    expect(await reason(asking({ [`trait:${trait}`]: 'required' }))).toBe(
      `it lacks trait ${trait}, which flavor m1.one requires`,
    )
  const quiet = await ask(asking({ 'trait:CUSTOM_LOUD': 'forbidden' }))
  expect(quiet.reasons).toEqual({ 'host-2': 'it has trait CUSTOM_LOUD, which flavor m1.one forbids' })
})

test.each([
  [{ usedVcpus: 16 }, 'vcpus: 1 wanted, 0 free of 16'],
  [{ reservedVcpus: 4 }, 'vcpus: 1 wanted, 0 free of 0'],
  [{ usedMemoryMiB: 7400 }, 'memory: 512 MiB wanted, 280 MiB free of 7680 MiB'],
  [{ memoryRatio: 0.05 }, 'memory: 512 MiB wanted, 384 MiB free of 384 MiB'],
  [{ reservedDiskGiB: 100 }, 'disk: 1 GiB wanted, 0 GiB free of 0 GiB'],
])('a host with %j says: %s', async (columns, text) => {
  await change('host-2', columns)
  expect(await reason()).toBe(text)
})

test('with the image asked for, only hosts that have it are left', async () => {
  await reportImages(api.db, 'host-1', [image.replace('registry.test', 'mirror.test')])
  const imageHosts = new Set(await hostsWithImage(api.db, image))
  const asked = { question: { imageHosts }, rules: { schedulerFilters: ['alive', 'image-present'] } } as const
  expect((await ask({ ...asked, rules: { schedulerFilters: [...asked.rules.schedulerFilters] } })).reasons).toEqual({
    'host-2': 'it has not the image',
    'host-3': 'it has not the image',
  })
})

test('a filter that the settings leave out refuses nobody', async () => {
  await change('host-2', { usedVcpus: 16 })
  expect(await reason({ rules: { schedulerFilters: ['alive'] } })).toBeUndefined()
})

async function best(schedulerWeighers: string[], question: Asked['question'] = {}): Promise<string | undefined> {
  return (await ask({ rules: { schedulerWeighers }, question })).fitting[0]?.host.name
}

test('each weigher has its favourite', async () => {
  await change('host-1', { servers: 9, loadPerCpu: 0.9, usedMemoryMiB: 2000, rack: 'r1' })
  await change('host-2', { servers: 5, loadPerCpu: 0.1, usedMemoryMiB: 1000, rack: 'r2' })
  await change('host-3', { servers: 1, loadPerCpu: 0.5, usedMemoryMiB: 3000, rack: 'r1' })
  expect(await best(['spread=1'])).toBe('host-3')
  expect(await best(['pack=1'])).toBe('host-1')
  expect(await best(['load=1'])).toBe('host-2')
  expect(await best(['free-memory=1'])).toBe('host-2')
  expect(await best(['image-present=1'], { imageHosts: new Set(['host-3']) })).toBe('host-3')
  expect(await best(['subnet-balance=1'], { portsByRack: new Map([['r1', 3]]) })).toBe('host-2')
  expect(await best(['subnet-balance=1', 'pack=0.1'], { portsByRack: new Map([['r2', 3]]) })).toBe('host-1')
  const group = { policy: 'soft-affinity', maxServerPerHost: null } as const
  const members = new Map([['host-3', 1]])
  expect(await best(['soft-affinity=1'], { neighbours: { ...nobody, group, members } })).toBe('host-3')
})

test('real use of memory counts as load, whatever was promised', async () => {
  await change('host-1', { availableMemoryMiB: 800 })
  await change('host-2', { availableMemoryMiB: 4000 })
  await change('host-3', { availableMemoryMiB: 1600 })
  expect(await best(['load=1'])).toBe('host-2')
})

test('weights decide between weighers, and each part is told', async () => {
  await change('host-1', { servers: 4, loadPerCpu: 0.9 })
  await change('host-2', { servers: 3, loadPerCpu: 0.2 })
  await change('host-3', { servers: 0, loadPerCpu: 0.6 })
  expect(await best(['spread=1', 'load=0.1'])).toBe('host-3')
  expect(await best(['spread=0.1', 'load=1'])).toBe('host-2')
  const { fitting, partsOf } = await ask({ rules: { schedulerWeighers: ['spread=2', 'load=1', 'pack=0'] } })
  const [first] = fitting
  expect(first && partsOf(first.host).map(({ weigher, points }) => [weigher, Math.round(points * 100)])).toEqual([
    ['spread', 200],
    ['load', 40],
  ])
  expect(first?.points).toBeCloseTo(2.4)
})

test('equal hosts come in another order for each server', async () => {
  const orders = await Promise.all(
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(async (lot) => (await ask({ wish: { lot } })).fitting[0]?.host.name),
  )
  expect(new Set(orders).size).toBeGreaterThan(1)
})

test('a weigher that does not exist is refused with those that do', () => {
  expect(() => settings.parse({ home: '/nowhere', schedulerWeighers: ['speed=1'] })).toThrow(
    /one of soft-affinity, spread/,
  )
  expect(() => settings.parse({ home: '/nowhere', schedulerWeighers: ['spread=-1'] })).toThrow(/a number from 0/)
})
