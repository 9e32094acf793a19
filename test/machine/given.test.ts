/** A part that runs already when a cloud comes up: an Open vSwitch of the machine's own. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { settings } from '../../core/config.ts'
import { down } from '../../machine/down.ts'
import { layoutOf } from '../../machine/layout.ts'
import { startOpenVswitch } from '../../machine/parts/openvswitch.ts'
import type { Site } from '../../machine/parts/part.ts'
import { statusOf } from '../../machine/status.ts'
import { ask, type PartSpec } from '../../machine/supervisor-protocol.ts'
import { startSupervisor } from '../../machine/supervision.ts'
import { until } from '../world/index.ts'

const usualSocket = '/var/run/openvswitch/db.sock'
const schema = '/usr/share/openvswitch/vswitch.ovsschema'
let theirs: { readonly directory: string; readonly server: ReturnType<typeof serve> }
let site: Site

function serve(database: string) {
  return execa('ovsdb-server', [database, `--remote=punix:${usualSocket}`, '--no-chdir'], { reject: false })
}

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'theirs-'))
  await mkdir('/var/run/openvswitch')
  await execa('ovsdb-tool', ['create', join(directory, 'conf.db'), schema])
  theirs = { directory, server: serve(join(directory, 'conf.db')) }
  await until(() => existsSync(usualSocket))
  const home = await mkdtemp(join(tmpdir(), 'given-'))
  site = { config: settings.parse({ home, namePrefix: 'given' }), layout: layoutOf(home) }
  for (const path of [site.layout.run, site.layout.log]) await mkdir(path)
  await startSupervisor(site)
}, 60_000)
afterAll(async () => {
  await down(site.config, { keepGuests: false })
  theirs.server.kill()
  await theirs.server
  for (const path of [site.layout.home, theirs.directory, '/var/run/openvswitch']) await rm(path, { recursive: true })
}, 60_000)

async function stateOf(part: string): Promise<unknown> {
  return (await statusOf(site)).find(({ name }) => name === part)
}

test('a switch that runs is taken and shown as given, though no setting names it', async () => {
  const found = await startOpenVswitch(site)
  expect(found).toMatchObject({ origin: 'given', where: usualSocket })
  const env = { BERTH_OVS_SOCKET: found.where }
  const log = join(site.layout.log, 'api.log')
  const part: PartSpec = {
    name: 'api',
    command: ['sleep', '1000'],
    env,
    log,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 5000,
  }
  await ask(site.layout.supervisorSocket, { op: 'start', part })
  for (const name of ['ovsdb-server', 'ovs-vswitchd'])
    expect(await stateOf(name)).toMatchObject({ state: 'given', where: usualSocket })
  expect(await stateOf('postgres')).toMatchObject({ state: 'down' })
}, 60_000)

test('a home that has made its own keeps it', async () => {
  const own = join(site.layout.home, 'openvswitch')
  await mkdir(own)
  await execa('ovsdb-tool', ['create', join(own, 'conf.db'), schema])
  expect(await startOpenVswitch(site)).toMatchObject({ origin: 'ours' })
  expect(await stateOf('ovs-vswitchd')).toMatchObject({ state: 'up' })
}, 60_000)
