/** Many guests on one machine, and many that come and go: each answers, and nothing of them stays. */
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ask } from '../../machine/supervisor-protocol.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { isFull, record } from './record.ts'
import { addressOf, User } from './user.ts'
import { knock } from './witness.ts'

const guests = isFull ? 100 : 6
const cycles = isFull ? 500 : 10
/** Cycles after which what a process keeps for good is there. */
const warmUp = isFull ? 40 : 4
const workers = 4
/** What a process may hold more in the end: pools breathe. */
const slack = { descriptors: 12, MiB: 40 } as const

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
  for (const address of addresses.slice(0, 10))
    expect(await until(() => user.ssh(address, 'hostname'), { timeoutMs: 60_000 })).toMatch(/^dense-\d+$/)
  const upMs = performance.now() - started
  await clear()
  const left = await cloud.audit()
  record({ fault: `${guests} guests at once`, healMs: upMs, lost: 0, left: left.length })
  expect(left).toEqual([])
}, 1_800_000)

interface Held {
  readonly descriptors: number
  readonly MiB: number
}

async function heldBy(): Promise<ReadonlyMap<string, Held>> {
  const parts = await ask(cloud.site.layout.supervisorSocket, { op: 'status' })
  return new Map(
    parts.flatMap(({ name, pid }) => {
      if (pid === null) return []
      const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      const held = { descriptors: readdirSync(`/proc/${pid}/fd`).length, MiB: Math.round(Number(resident) / 1024) }
      return [[name, held] as const]
    }),
  )
}

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

test(`${cycles} servers come and go: no process of ours grows, and nothing is left`, async () => {
  await cycle(warmUp, 'warm')
  const before = await heldBy()
  const started = performance.now()
  await cycle(cycles - warmUp, 'cycle')
  const ms = performance.now() - started
  const after = await heldBy()
  for (const [name, { descriptors, MiB }] of after)
    process.stdout.write(
      `${name}: ${before.get(name)?.descriptors ?? 0} → ${descriptors} descriptors, ${before.get(name)?.MiB ?? 0} → ${MiB} MiB\n`,
    )
  const grown = [...after].filter(([name, { descriptors, MiB }]) => {
    const was = before.get(name)
    return was === undefined || descriptors > was.descriptors + slack.descriptors || MiB > was.MiB + slack.MiB
  })
  const left = await cloud.audit()
  record({ fault: `${cycles} servers come and go`, healMs: ms, lost: 0, left: left.length })
  expect(left).toEqual([])
  expect(grown).toEqual([])
}, 1_800_000)
