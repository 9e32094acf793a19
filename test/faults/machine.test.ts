/** The whole machine falls over: after the next `up` every server is what it was, where it was, with what it had on its disk. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { up } from '../../machine/up.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { cutPower } from './power-cut.ts'
import { record } from './record.ts'
import { User } from './user.ts'
import { birthOf, witness, type Witness } from './witness.ts'

const backMs = 60_000

let cloud: TestCloud
let user: User
let running: readonly Witness[] = []
let off: Witness
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  running = [await witness(user, 'first'), await witness(user, 'second')]
  off = await witness(user, 'off')
  await user.change(off.id, 'stop')
  await user.reaches(off.id, 'SHUTOFF')
}, 600_000)
afterAll(async () => {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 60_000 })
  expect(await cloud.audit()).toEqual([])
}, 180_000)

/** What a user would recognise the server by. */
async function faceOf({ address }: Witness): Promise<string> {
  const command = 'hostname; cat /sys/class/net/eth0/address /root/written'
  return await until(async () => (await user.ssh(address, command)) ?? null, { timeoutMs: backMs, what: address })
}

test('after a fall of the machine, servers that ran run again, the oldest first, with address, MAC, hostname and data; the others stay off', async () => {
  for (const { address, id } of running) expect(await user.ssh(address, `echo ${id} > /root/written; sync`)).toBe('')
  const faces = await Promise.all(running.map(faceOf))
  for (const [index, { id }] of running.entries()) expect(faces[index]).toContain(id)
  await cutPower(cloud.site)
  const started = performance.now()
  // One at a time, so that their order shows.
  await up({ ...cloud.site.config, startConcurrency: 1 }, { hello: false })
  expect(await Promise.all(running.map(faceOf))).toEqual(faces)
  const healMs = performance.now() - started
  expect(healMs).toBeLessThan(backMs)
  await until(async () => (await user.show(off.id)) !== null, { timeoutMs: 30_000 })
  for (const { id } of running) await user.reaches(id, 'ACTIVE')
  const births = await Promise.all(running.map(async ({ address }) => Number(await birthOf(user, address))))
  expect(births.toSorted((a, b) => a - b)).toEqual(births)
  await user.reaches(off.id, 'SHUTOFF')
  const left = await cloud.audit()
  record({ fault: 'the machine falls over', healMs, lost: 0, left: left.length })
  expect(left).toEqual([])
  await user.change(off.id, 'start')
  await user.reaches(off.id, 'ACTIVE')
  expect(await until(() => user.ssh(off.address, 'hostname'), { timeoutMs: 30_000 })).toBe('off')
}, 300_000)
