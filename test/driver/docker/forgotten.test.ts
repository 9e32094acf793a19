/** An engine that is killed between the start of a guest and the word of it in its own books. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { z } from 'zod'
import type { GuestSpec } from '../../../driver/driver.ts'
import { identify, isAlive, type ProcessId } from '../../../machine/process.ts'
import { ask } from '../../../machine/supervisor-protocol.ts'
import { specOf } from '../../faults/services.ts'
import { docker, until } from '../../world/index.ts'
import { room } from '../../world/room.ts'
import { openGuests } from './guests.ts'

const opened = openGuests()
const rootShape = z.object({ DockerRootDir: z.string() })
const bookShape = z.looseObject({ State: z.looseObject({ Running: z.boolean(), Pid: z.number() }) })

/** What the engine wrote of the container before it started it. */
async function forget(path: string): Promise<void> {
  const book = bookShape.parse(JSON.parse(await readFile(path, 'utf8')))
  await writeFile(path, JSON.stringify({ ...book, State: { ...book.State, Running: false, Pid: 0 } }))
}

/** A guest that runs although its engine does not know. @returns its init */
async function forgottenGuest(): Promise<{ readonly spec: GuestSpec; readonly init: ProcessId | null }> {
  const guests = opened()
  const { driver } = guests.site
  const spec = await guests.running()
  const before = await driver.inspect(spec.serverId)
  const { DockerRootDir } = rootShape.parse(await guests.docker.info())
  const site = room()
  const part = await specOf({ site }, 'docker')
  const init = identify(before?.pid ?? 0)
  await ask(site.layout.supervisorSocket, { op: 'stop', name: 'docker' })
  await forget(join(DockerRootDir, 'containers', before?.guestId ?? '', 'config.v2.json'))
  await ask(site.layout.supervisorSocket, { op: 'start', part })
  await docker()
  const now = await until(() => driver.inspect(spec.serverId), { timeoutMs: 30_000 })
  expect(now.state).not.toBe('running')
  expect(init && isAlive(init)).toBe(true)
  return { spec, init }
}

test('a guest that its engine forgot is ended, and starts', async () => {
  const { driver } = opened().site
  const { spec, init } = await forgottenGuest()
  expect(await driver.start(spec.serverId)).toMatchObject({ state: 'running' })
  expect((await driver.exec(spec.serverId, ['hostname'], 5000)).output).toBe('quay\n')
  expect(init && isAlive(init)).toBe(false)
}, 120_000)

test('a guest that its engine forgot is ended when it is removed', async () => {
  const { driver } = opened().site
  const { spec, init } = await forgottenGuest()
  await driver.remove(spec.serverId)
  await until(() => !(init && isAlive(init)), { timeoutMs: 30_000 })
}, 120_000)
