/** Clocks that jump: what is leased, or waited for, goes by the database's clock or by one that only runs forward. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Db } from '../../db/connect.ts'
import { ask, type PartSpec } from '../../machine/supervisor-protocol.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { freeze } from './freeze.ts'
import { isFull, record } from './record.ts'
import { databaseOf, pidOf, specOf } from './services.ts'
import { User } from './user.ts'
import { birthOf, witness, type Witness } from './witness.ts'

const services = ['api', 'scheduler', 'agent'] as const
const hourMs = 3_600_000
const jumps = [
  { name: 'forward', byMs: hourMs },
  { name: 'back', byMs: -hourMs },
]

let cloud: TestCloud
let user: User
let db: Db
let guest: Witness
let own: readonly PartSpec[] = []
beforeAll(async () => {
  cloud = await startCloud()
  user = await User.of(cloud)
  db = await databaseOf(cloud)
  guest = await witness(user, 'witness')
  own = await Promise.all(['postgres', ...services].map((name) => specOf(cloud, name)))
}, 600_000)
afterAll(async () => {
  await startAs(own)
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 60_000 })
  expect(await cloud.audit()).toEqual([])
  await db.destroy()
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

/** A server comes, changes and goes, the one that ran has not noticed, nothing is left. */
async function judge(fault: string, id: string): Promise<void> {
  const started = performance.now()
  await user.reaches(id, 'ACTIVE', 120_000)
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
  record({ fault, healMs: performance.now() - started, lost: 0, left: left.length })
  expect(left).toEqual([])
}

test.each(jumps.filter(({ byMs }) => isFull || byMs > 0))(
  'clocks of our processes an hour $name: servers live as before, nothing runs out, nobody counts as silent',
  async ({ name, byMs }) => {
    const module = clockOffBy(byMs)
    await startAs(own.map((spec) => (spec.name === 'postgres' ? spec : withClock(spec, module))))
    await judge(`clocks of our processes an hour ${name}`, await user.running(`hour-${name}`))
  },
  300_000,
)

describe('the clock of the database', () => {
  /** How far it is off, in seconds. */
  let offsetPath = ''
  function jump(byMs: number): void {
    writeFileSync(offsetPath, `${byMs < 0 ? '' : '+'}${byMs / 1000}\n`, { mode: 0o644 })
  }

  async function offsetMs(): Promise<number> {
    const { rows } = await db.raw<{ rows: { now: Date }[] }>('select clock_timestamp() as now')
    return (rows[0]?.now.getTime() ?? 0) - Date.now()
  }

  beforeAll(async () => {
    offsetPath = join(cloud.site.layout.home, 'tmp', 'clock-of-postgres')
    const { stdout } = await execa('dpkg', ['--listfiles', 'libfaketime'], { timeout: 10_000 })
    const library = stdout.split('\n').find((path) => path.endsWith('/libfaketime.so.1')) ?? ''
    const env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: offsetPath,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    }
    jump(0)
    await startAs(own.map((spec) => (spec.name === 'postgres' ? { ...spec, env: { ...spec.env, ...env } } : spec)))
  }, 120_000)

  test.each(jumps.filter(({ byMs }) => isFull || byMs < 0))(
    'jumps an hour $name while a server is asked for: it is made, nothing runs out, nobody counts as silent',
    async ({ name, byMs }) => {
      const pid = await until(() => pidOf(cloud, 'scheduler'))
      const thaw = freeze('scheduler', pid)
      const asked = await user.create(`database-${name}`)
      jump(byMs)
      thaw()
      expect(asked.status).toBe(202)
      expect(Math.abs((await offsetMs()) - byMs)).toBeLessThan(60_000)
      const [made] = await user.named(`database-${name}`)
      await judge(`clock of the database jumps an hour ${name}`, made?.id ?? '')
      jump(0)
      await judge(`clock of the database jumps an hour ${name} and returns`, await user.running(`returned-${name}`))
    },
    400_000,
  )
})
