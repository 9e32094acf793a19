/** Clocks that jump: what is leased, or waited for, goes by the database's clock or by one that only runs forward. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ask, type PartSpec } from '../../machine/supervisor-protocol.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { isFull, record } from './record.ts'
import { pidOf, specOf } from './services.ts'
import { User } from './user.ts'
import { birthOf, witness, type Witness } from './witness.ts'

const services = ['api', 'scheduler', 'agent'] as const
const hourMs = 3_600_000
const jumps = [
  { name: 'forward', byMs: hourMs },
  { name: 'back', byMs: -hourMs },
].filter(({ byMs }) => isFull || byMs > 0)

let cloud: TestCloud
let user: User
let guest: Witness
let own: readonly PartSpec[] = []
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  guest = await witness(user, 'witness')
  own = await Promise.all(services.map((name) => specOf(cloud, name)))
}, 600_000)
afterAll(async () => {
  await startAs(own)
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 60_000 })
  expect(await cloud.audit()).toEqual([])
}, 180_000)

async function startAs(specs: readonly PartSpec[]): Promise<void> {
  for (const part of specs) await ask(cloud.site.layout.supervisorSocket, { op: 'start', part })
  for (const { name } of specs) await until(() => pidOf(cloud, name), { timeoutMs: 30_000, what: name })
  await until(() => user.answers(), { timeoutMs: 60_000 })
}

/** A module that moves the clock of the process that loads it. */
function clockOffBy(byMs: number): string {
  const path = join(cloud.site.layout.home, 'tmp', `clock-${byMs}.mjs`)
  writeFileSync(
    path,
    `const Real = Date
globalThis.Date = class extends Real {
  constructor(...words) { words.length === 0 ? super(Real.now() + ${byMs}) : super(...words) }
  static now() { return Real.now() + ${byMs} }
}
`,
  )
  return path
}

function withClock({ command: [node = '', ...words], ...rest }: PartSpec, module: string): PartSpec {
  return { ...rest, command: [node, '--import', module, ...words] }
}

test.each(jumps)(
  'clocks of our processes an hour $name: servers live as before, nothing runs out, nobody counts as silent',
  async ({ name, byMs }) => {
    const module = clockOffBy(byMs)
    const started = performance.now()
    await startAs(own.map((spec) => withClock(spec, module)))
    const id = await user.running(`hour-${name}`)
    for (const [change, end] of [
      ['reboot-hard', 'ACTIVE'],
      ['stop', 'SHUTOFF'],
      ['start', 'ACTIVE'],
      ['delete', 'gone'],
    ] as const) {
      await user.change(id, change)
      await user.reaches(id, end)
    }
    expect(await birthOf(user, guest.address)).toBe(guest.bornAt)
    const left = await cloud.audit()
    record({ fault: `clocks an hour ${name}`, healMs: performance.now() - started, lost: 0, left: left.length })
    expect(left).toEqual([])
  },
  300_000,
)
