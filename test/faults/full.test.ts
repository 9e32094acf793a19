/** What fills up: the error says what is full and where, guests run on, and all is well soon after there is room again. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import type { Db } from '../../db/connect.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { isFull, record } from './record.ts'
import { databaseOf, died, pidOf, revive } from './services.ts'
import { smallDisk } from './small-disk.ts'
import { User } from './user.ts'
import { birthOf, witness, type Witness } from './witness.ts'

/** From the moment when there is room again. */
const healMs = 10_000
/** A machine of two cores that others use too starts processes late; the plain run works in two rooms at once. */
const slackMs = isFull ? 10_000 : 30_000

let cloud: TestCloud
let user: User
let db: Db
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  db = await databaseOf(cloud)
}, 600_000)
afterAll(async () => {
  await clear()
  expect(await cloud.audit()).toEqual([])
  await db.destroy()
}, 180_000)

async function clear(): Promise<void> {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 120_000 })
}

/** The API answers, and nothing is wrong with the host. */
async function well(): Promise<void> {
  await until(() => user.answers(), { timeoutMs: 60_000 })
  await until(async () => (await problem()) === '', { timeoutMs: 60_000, what: 'the host to be well' })
}

async function problem(): Promise<string> {
  return (await db('hosts').first('problem'))?.problem ?? ''
}

/** The message with which the server is in error. */
async function faultOf(name: string): Promise<string> {
  return await until(async () => (await user.named(name))[0]?.fault?.message, { timeoutMs: 60_000, what: name })
}

const actions = z.object({ instanceActions: z.array(z.object({ action: z.string(), message: z.string().nullable() })) })

/** What the owner of a server reads of what its host did to it. */
async function noticeOf(id: string, name: string): Promise<string> {
  const { text } = await user.call('GET', `/compute/v2.1/servers/${id}/os-instance-actions`)
  return actions.parse(JSON.parse(text)).instanceActions.find(({ action }) => action === name)?.message ?? ''
}

/** @returns milliseconds from `started` until the guest has not noticed, and a new server comes up */
async function healed(guest: Witness, fault: string, started: number): Promise<void> {
  await well()
  const ms = performance.now() - started
  expect(await birthOf(user, guest.address)).toBe(guest.bornAt)
  const probe = await user.running('after')
  await user.change(probe, 'delete')
  await user.reaches(probe, 'gone')
  record({ fault, healMs: ms, lost: 0, left: 0 })
  expect(ms).toBeLessThan(healMs + slackMs)
}

test("Docker's disk, and its files: who fills them is paused before they are full, no new guest comes, the others run on", async () => {
  const directory = join(cloud.site.layout.home, 'docker')
  const disk = await smallDisk(cloud, { directory, parts: ['agent', 'docker'], sizeMiB: 5000 })
  try {
    await well()
    const guest = await witness(user, 'guest')
    const writer = await witness(user, 'writer')
    await user.ssh(writer.address, 'nohup dd if=/dev/zero of=/root/all bs=1M > /dev/null 2>&1 < /dev/null &')
    await until(async () => (await user.show(writer.id))?.status === 'PAUSED', { timeoutMs: 90_000, what: 'PAUSED' })
    expect(await noticeOf(writer.id, 'diskGuard')).toMatch(/had \d+ MiB left, and the server had just taken \d+ MiB/)
    expect(await user.ssh(guest.address, 'dd if=/dev/zero of=/root/some bs=1M count=20 2>&1 && sync')).toContain('20')
    await until(async () => (await problem()).includes(directory), { timeoutMs: 30_000, what: 'the problem' })
    await user.create('refused')
    expect(await faultOf('refused')).toMatch(new RegExp(`disk of the guests, ${directory}\\S*, has \\d+ MiB free`))
    const started = performance.now()
    await user.change(writer.id, 'delete')
    await healed(guest, "Docker's disk filled by a guest", started)

    const maker = await witness(user, 'maker')
    const endless = 'i=0; while :; do i=$((i+1)); : > /root/$i; done'
    await user.ssh(maker.address, `nohup sh -c '${endless}' > /dev/null 2>&1 < /dev/null &`)
    await until(async () => (await user.show(maker.id))?.status === 'PAUSED', { timeoutMs: 240_000, what: 'PAUSED' })
    expect(await noticeOf(maker.id, 'diskGuard')).toMatch(/had \d+ files left, and the server had just taken \d+ files/)
    expect(await user.ssh(guest.address, 'cd /root && touch a b c && ls | wc -l')).toMatch(/^\d+$/)
    const made = performance.now()
    await user.change(maker.id, 'delete')
    await healed(guest, "Docker's disk: a guest makes files without end", made)
    await user.reaches(maker.id, 'gone')

    await disk.forbidFiles()
    await until(async () => (await problem()).includes('more files'), { timeoutMs: 30_000, what: 'the problem' })
    await user.create('refused-too')
    expect(await faultOf('refused-too')).toContain(directory)
    await disk.allowFiles()
    const again = performance.now()
    await healed(guest, "Docker's disk out of files", again)
  } finally {
    await clear()
    await disk.remove()
    await well()
  }
}, 600_000)

async function postgresFull(): Promise<void> {
  const guest = await witness(user, 'guest')
  const directory = join(cloud.site.layout.home, 'postgres', 'data')
  const disk = await smallDisk(cloud, { directory, parts: ['postgres'], sizeMiB: 400 })
  try {
    await well()
    await disk.fill()
    const refused = await until(
      async () => {
        const reply = await user.create('refused')
        return reply.status === 202 ? null : reply
      },
      { timeoutMs: 120_000, what: 'the disk to be full' },
    )
    expect(refused.status).toBe(503)
    expect(refused.text).toMatch(/database.*(full|does not answer)/)
    const promised = (await user.list().catch(() => [])).map(({ id }) => id)
    const started = performance.now()
    await disk.free()
    await healed(guest, "Postgres's disk full", started)
    const present = new Set((await user.list()).map(({ id }) => id))
    expect(promised.filter((id) => !present.has(id))).toEqual([])
  } finally {
    await disk.free()
    await well()
    await clear()
    await disk.remove()
    await well()
  }
}

async function logsFull(): Promise<void> {
  const guest = await witness(user, 'guest')
  const services = ['agent', 'scheduler', 'api'] as const
  const disk = await smallDisk(cloud, { directory: cloud.site.layout.log, parts: services, sizeMiB: 200 })
  try {
    await well()
    await disk.fill()
    const probe = await user.running('without-logs')
    expect(await user.ssh(guest.address, 'true')).toBe('')
    await user.change(probe, 'delete')
    await user.reaches(probe, 'gone')
    for (const name of services) {
      const pid = await until(() => pidOf(cloud, name))
      process.kill(pid, 'SIGKILL')
      await died(cloud, name, pid)
      await revive(cloud, name)
    }
    const started = performance.now()
    await disk.free()
    await healed(guest, 'the disk of the logs full', started)
  } finally {
    await clear()
    await disk.remove()
    await well()
  }
}

/** In a run with little time the disk of the guests stands for all of them. */
const others = {
  "Postgres's disk: requests are refused with the reason, guests run on, nothing acknowledged is lost": postgresFull,
  'the disk of the logs: everything goes on without them': logsFull,
}
if (isFull) for (const [name, run] of Object.entries(others)) test(name, run, 600_000)
