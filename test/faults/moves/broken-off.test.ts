/** Parts that go away in the middle of a move: the server is whole on one of its hosts, and the next try works. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { ask } from '../../../machine/supervisor-protocol.ts'
import { until } from '../../world/index.ts'
import { record } from '../record.ts'
import { pidOf, specOf } from '../services.ts'
import { knock } from '../witness.ts'
import { act, endsWell, isAt, isWhole, mover, said, settled } from './mover.ts'
import { closeScene, openScene, transports, type Scene } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await openScene()
}, 900_000)
afterAll(() => closeScene(scene), 600_000)

async function restartDatabase(): Promise<void> {
  const { cloud, user } = scene
  const part = await specOf(cloud, 'postgres')
  const { supervisorSocket } = cloud.site.layout
  await ask(supervisorSocket, { op: 'stop', name: 'postgres' })
  await ask(supervisorSocket, { op: 'start', part })
  await until(() => user.answers(), { timeoutMs: 90_000, what: 'the database' })
}

const phases = ['sync', 'switch'] as const

test.each(transports.flatMap((transport) => phases.map((phase) => [transport, phase] as const)))(
  'the database is started again during a move by %s, at %s',
  async (transport, phase) => {
    const one = await mover(scene, 'restarted', { transport, mebibytes: 200 })
    await act(scene, one.id, { migrate: null })
    await isAt(scene, one.id, phase)
    await restartDatabase()
    await endsWell(scene, one, `database restarted during a move by ${transport}`)
  },
  600_000,
)

/** The port at which the source offers disks, seen by nobody any more; what is under way is heard no more either. */
async function cut(port: number): Promise<() => Promise<void>> {
  const rules = ['dport', 'sport'].map((end) => `tcp ${end} ${port} drop`)
  const chain = ['chain heard {', 'type filter hook input priority 0', ...rules, '}']
  const table = ['table inet cut {', ...chain, '}', ''].join('\n')
  await execa('nft', ['-f', '-'], { input: table })
  return async () => {
    await execa('nft', ['delete', 'table', 'inet', 'cut'])
  }
}

test.each(phases)(
  'the hosts hear each other no more during a move by delta, at %s',
  async (phase) => {
    const { cloud, db } = scene
    const one = await mover(scene, 'unheard', { transport: 'delta', mebibytes: 300 })
    const source = await db('hosts').where({ name: cloud.site.config.hostName }).first()
    await act(scene, one.id, { migrate: null })
    // More than the last pass leaves for the time when it is off.
    if (phase === 'switch') await said(scene, one.address, 'head -c 100M /dev/urandom > /root/more').catch(() => '')
    await isAt(scene, one.id, phase)
    const mend = await cut(Number(source?.diskAddress?.split(':').at(-1)))
    try {
      await settled(scene, one.id)
      await isWhole(scene, one)
    } finally {
      await mend()
    }
    await endsWell(scene, one, 'hosts cut off from each other during a move by delta')
  },
  600_000,
)

test('a registry that stands still in the middle of a push has the guest back in seconds', async () => {
  const { cloud, user } = scene
  const one = await mover(scene, 'pushed', { transport: 'registry', mebibytes: 400 })
  await act(scene, one.id, { migrate: null })
  await isAt(scene, one.id, 'sync')
  const pid = await until(() => pidOf(cloud, 'registry'))
  process.kill(pid, 'SIGSTOP')
  const started = performance.now()
  try {
    await until(() => knock(one.address), { timeoutMs: 60_000, what: 'the guest to be back' })
    record({ fault: 'registry frozen during a push', healMs: performance.now() - started, lost: 0, left: 0 })
    expect(await settled(scene, one.id)).toBe('ACTIVE')
    await isWhole(scene, one)
    await act(scene, one.id, { migrate: null })
    // The guest is not stopped for a registry that does not answer.
    const uptime = await until(() => user.ssh(one.address, 'cut -d" " -f1 /proc/uptime'), { timeoutMs: 20_000 })
    expect(Number(uptime)).toBeGreaterThan(0)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await endsWell(scene, one, 'registry frozen during a move')
}, 600_000)
