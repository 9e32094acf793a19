/** Many guests on one machine, and many that come and go: each answers, and nothing of them stays. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { lowSettings } from '../../machine/host-settings.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { heldBy, type Held } from './held.ts'
import { isFull, record } from './record.ts'
import { addressOf, User } from './user.ts'
import { knock } from './witness.ts'

const guests = isFull ? 100 : 6
const cycles = isFull ? 500 : 10
/** Cycles before them, after which what a process keeps for good is there. */
const warmUp = isFull ? 50 : 4
const logInsAtOnce = 4
const workers = isFull ? 8 : 4
/** What a part may hold more in the end: pools and heaps breathe, and each backend of Postgres keeps the files that it met. */
const slack = { processes: 6, descriptors: 40, MiB: 40 } as const
const descriptorsPerProcess = 10

let cloud: TestCloud
let user: User
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  await user.allow(2 * guests)
}, 600_000)
afterAll(async () => {
  await clear()
  expect(await cloud.audit()).toEqual([])
}, 600_000)

async function clear(): Promise<void> {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 500_000, what: 'every server to go' })
}

/** What each calls itself, asked over ssh. */
async function hostNames(addresses: readonly string[]): Promise<readonly string[]> {
  const names: string[] = []
  for (const address of addresses)
    names.push(await until(() => user.ssh(address, 'hostname'), { timeoutMs: 120_000, what: `ssh to ${address}` }))
  return names
}

test('the settings of the kernel that many guests need are raised', async () => {
  expect(await lowSettings()).toEqual([])
})

test(`${guests} systemd guests up at once, each answers ssh; then all go and nothing is left`, async () => {
  const started = performance.now()
  const made = await Promise.all(
    Array.from({ length: guests }, (_, index) => user.create(`dense-${index}`, {}, { image: 'debian-12' })),
  )
  expect(made.filter(({ status }) => status !== 202)).toEqual([])
  const active = await until(
    async () => {
      const all = await user.list()
      expect(all.filter(({ status }) => status === 'ERROR').map(({ fault }) => fault?.message)).toEqual([])
      return all.every(({ status }) => status === 'ACTIVE') ? all : null
    },
    { timeoutMs: 900_000, what: 'every server to be ACTIVE' },
  )
  const addresses = active.map(addressOf)
  expect(new Set(addresses).size).toBe(guests)
  for (const address of addresses) await until(() => knock(address), { timeoutMs: 120_000, what: address })
  const names = await Promise.all(
    Array.from({ length: logInsAtOnce }, (_, first) =>
      hostNames(addresses.filter((_address, index) => index % logInsAtOnce === first)),
    ),
  )
  expect(new Set(names.flat())).toEqual(new Set(active.map(({ name }) => name)))
  const upMs = performance.now() - started
  await clear()
  const left = await cloud.audit()
  record({ fault: `${guests} guests at once`, healMs: upMs, lost: 0, left: left.length })
  expect(left).toEqual([])
}, 1_800_000)

async function cycle(count: number, name: string): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) {
      const id = await user.running(`${name}-${next++}`)
      await user.change(id, 'delete')
      await user.reaches(id, 'gone')
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
}

/** When nothing of a guest is left, and each part has closed what it keeps open for a while. */
async function settled(): Promise<ReadonlyMap<string, Held>> {
  const isGuest = (name: string): boolean => name.startsWith('containerd-shim')
  return await until(
    async () => {
      const held = await heldBy(cloud)
      return [...held.keys()].some(isGuest) ? null : held
    },
    { timeoutMs: 60_000, what: 'the shims of all guests to go' },
  )
}

type Look = ReadonlyMap<string, Held>

function print(looks: readonly Look[]): void {
  const names = new Set(looks.flatMap((look) => [...look.keys()]))
  const row = (name: string, of: keyof Held): string => looks.map((look) => look.get(name)?.[of] ?? 0).join(' → ')
  for (const name of [...names].toSorted())
    process.stdout.write(
      `${name}: ${row(name, 'processes')} processes, ${row(name, 'descriptors')} descriptors, ${row(name, 'MiB')} MiB\n`,
    )
}

/** Parts that hold more than before, and more than they may. */
function grown(before: Look, after: Look): readonly string[] {
  const none: Held = { processes: 0, descriptors: 0, MiB: 0 }
  const hasGrown = ([name, held]: readonly [string, Held]): boolean => {
    const was = before.get(name) ?? none
    const most = {
      processes: was.processes + slack.processes,
      descriptors: was.descriptors + slack.descriptors + descriptorsPerProcess * held.processes,
      MiB: was.MiB + slack.MiB,
    }
    return (['processes', 'descriptors', 'MiB'] as const).some((key) => held[key] > most[key])
  }
  return [...after].filter(hasGrown).map(([name]) => name)
}

test(`${cycles} servers come and go: no process of ours grows, and nothing is left`, async () => {
  await cycle(warmUp, 'warm')
  const before = await settled()
  const started = performance.now()
  await cycle(cycles / 2, 'cycle')
  const middle = await settled()
  await cycle(cycles / 2, 'cycle')
  const ms = performance.now() - started
  const left = await cloud.audit()
  const after = await settled()
  print([before, middle, after])
  record({ fault: `${cycles} servers come and go`, healMs: ms, lost: 0, left: left.length })
  expect(left).toEqual([])
  expect(grown(before, after)).toEqual([])
}, 1_800_000)
