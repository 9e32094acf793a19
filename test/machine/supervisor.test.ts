import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { layoutOf, type Layout } from '../../machine/layout.ts'
import { end, identify, isAlive, signal } from '../../machine/process.ts'
import { ask, type PartSpec } from '../../machine/supervisor-protocol.ts'
import { until } from '../world/index.ts'

let layout: Layout
let supervisor: ChildProcess

beforeEach(async () => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'home-')))
  for (const directory of [layout.run, layout.log]) mkdirSync(directory)
  supervisor = await startSupervisor()
})

afterEach(async () => {
  await ask(layout.supervisorSocket, { op: 'stop', name: 'sleeper' })
  await ended(supervisor, 'SIGKILL')
  rmSync(layout.home, { recursive: true })
})

async function startSupervisor(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(layout.project, 'machine', 'supervisor.ts'), layout.home])
  await until(() => ask(layout.supervisorSocket, { op: 'status' }))
  return child
}

async function ended(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(name)
  await gone
}

function sleeper(): PartSpec {
  const log = join(layout.log, 'sleeper.log')
  return { name: 'sleeper', command: ['sleep', '1000'], env: {}, log, stopSignal: 'SIGTERM', stopTimeoutMs: 5000 }
}

async function pidOf(name: string): Promise<number | null> {
  const parts = await ask(layout.supervisorSocket, { op: 'status' })
  return parts.find((part) => part.name === name)?.pid ?? null
}

async function startSleeper(): Promise<number> {
  await ask(layout.supervisorSocket, { op: 'start', part: sleeper() })
  return await until(() => pidOf('sleeper'))
}

test('a part that dies is started again at once', async () => {
  const pid = await startSleeper()
  process.kill(pid, 'SIGKILL')
  const next = await until(async () => {
    const now = await pidOf('sleeper')
    return now !== pid && now
  })
  expect(next).not.toBe(pid)
})

test('a part that runs is not started twice', async () => {
  expect(await startSleeper()).toBe(await startSleeper())
})

test('a part that waits to be started again is started once, at once, when it is asked for', async () => {
  let pid = await startSleeper()
  for (let deaths = 0; deaths < 3; deaths++) {
    const dead = pid
    process.kill(dead, 'SIGKILL')
    await until(() => identify(dead) === null)
    pid = await startSleeper()
  }
  // Had a delayed start of an earlier death still been to come, it would be here by now.
  const started = performance.now()
  await until(() => performance.now() - started > 2500)
  const supervisorPid = String(supervisor.pid)
  const children = readFileSync(`/proc/${supervisorPid}/task/${supervisorPid}/children`, 'utf8').trim().split(' ')
  expect(children).toEqual([String(pid)])
})

test('a stopped part stays stopped', async () => {
  const id = identify(await startSleeper())
  await ask(layout.supervisorSocket, { op: 'stop', name: 'sleeper' })
  expect(id && isAlive(id)).toBe(false)
  expect(await pidOf('sleeper')).toBeNull()
})

test('of several supervisors that are started at once one stays', async () => {
  await ended(supervisor, 'SIGKILL')
  const words = [join(layout.project, 'machine', 'supervisor.ts'), layout.home]
  const started = Array.from({ length: 4 }, () => spawn(process.execPath, words))
  const left = (): readonly ChildProcess[] => started.filter(({ exitCode }) => exitCode === null)
  await until(() => left().length === 1, { timeoutMs: 20_000 })
  await until(() => ask(layout.supervisorSocket, { op: 'status' }))
  expect(Number.parseInt(readFileSync(join(layout.run, 'supervisor.pid'), 'utf8'), 10)).toBe(left()[0]?.pid)
  ;[supervisor = supervisor] = left()
})

test('parts outlive a killed supervisor, and the next one takes them over', async () => {
  const pid = await startSleeper()
  await ended(supervisor, 'SIGKILL')
  expect(identify(pid)).not.toBeNull()
  supervisor = await startSupervisor()
  expect(await startSleeper()).toBe(pid)
})

test('a process that got the pid of a dead part is neither taken over nor killed', async () => {
  const other = spawn('sleep', ['1000'])
  const id = identify(other.pid ?? 0)
  writeFileSync(join(layout.run, 'sleeper.pid'), `${String(other.pid)} 1`)
  const pid = await startSleeper()
  expect(pid).not.toBe(other.pid)
  await ask(layout.supervisorSocket, { op: 'stop', name: 'sleeper' })
  expect(id && isAlive(id)).toBe(true)
  await ended(other, 'SIGKILL')
})

test('what a part prints is in its log', async () => {
  const part = { ...sleeper(), command: ['sh', '-c', 'echo hello; exec sleep 1000'] }
  await ask(layout.supervisorSocket, { op: 'start', part })
  await until(() => readFileSync(part.log, 'utf8').includes('hello'))
})

test('a signal reaches only the very process it was meant for', async () => {
  const child = spawn('sleep', ['1000'])
  const id = await until(() => identify(child.pid ?? 0))
  expect(signal({ pid: id.pid, startTime: '1' }, 'SIGKILL')).toBe(false)
  expect(isAlive(id)).toBe(true)
  await end(id, { with: 'SIGTERM', timeoutMs: 5000 })
  expect(isAlive(id)).toBe(false)
})
