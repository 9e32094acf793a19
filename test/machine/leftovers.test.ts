/** What a killed predecessor left does not keep the next start from coming up, and loses nothing. */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { loadConfig } from '../../core/config.ts'
import { connect } from '../../db/connect.ts'
import { layoutOf } from '../../machine/layout.ts'
import { dockerInfo, startDocker } from '../../machine/parts/docker.ts'
import { startLxcfs } from '../../machine/parts/lxcfs.ts'
import { startOpenVswitch } from '../../machine/parts/openvswitch.ts'
import type { Found, Site } from '../../machine/parts/part.ts'
import { startPostgres } from '../../machine/parts/postgres.ts'
import { fromPidFile, identify, isAlive, type ProcessId } from '../../machine/process.ts'
import { purge } from '../../machine/purge.ts'
import { keptParts, startSupervisor } from '../../machine/supervision.ts'
import { Bridge } from '../../netns/bridge.ts'
import { RtNetlink } from '../../netns/rtnetlink.ts'
import { room, until } from '../world/index.ts'

let site: Site

beforeAll(async () => {
  const home = join(room().layout.home, 'tmp', 'second')
  const names = { BERTH_NAME_PREFIX: 'second', BERTH_BRIDGE: 'br-second' }
  const config = loadConfig({ BERTH_HOME: home, BERTH_POSTGRES_PORT: '5633', ...names })
  site = { config, layout: layoutOf(home) }
  await mkdir(site.layout.run, { recursive: true })
  await mkdir(site.layout.log, { recursive: true })
})

afterAll(async () => {
  await purge(site.config)
})

async function supervised(part: string): Promise<number | null> {
  await startSupervisor(site)
  return (await keptParts(site))?.get(part) ?? null
}

/** As a power cut would, but for one part: supervisor and process end at once, their files stay. */
async function killAll(part: string): Promise<void> {
  const kept = await keptParts(site)
  const supervisor = fromPidFile(join(site.layout.run, 'supervisor.pid'))
  const ids = [supervisor, ...[...(kept ?? [])].flatMap(([name, pid]) => (name === part ? [identify(pid)] : []))]
  const known = ids.filter((id): id is ProcessId => id !== null)
  for (const { pid } of known) process.kill(pid, 'SIGKILL')
  await until(() => known.every((id) => !isAlive(id)))
}

async function devices(): Promise<readonly string[]> {
  using links = new RtNetlink(null)
  const names = (await links.links()).map(({ name }) => name)
  return names.filter((name) => name.endsWith('second')).toSorted()
}

async function query(url: string, text: string): Promise<unknown> {
  const db = connect(url, { size: 1, name: 'test' })
  try {
    return await db.raw(text).then(({ rows }: { readonly rows: unknown }) => rows)
  } finally {
    await db.destroy()
  }
}

async function startDatabase(): Promise<Found> {
  return await startPostgres(site, await supervised('postgres'))
}

test('rows are there after Postgres and its supervisor were killed', async () => {
  const { where } = await startDatabase()
  await query(where, 'create table kept (word text)')
  await query(where, `insert into kept values ('here')`)
  await killAll('postgres')
  expect(await query((await startDatabase()).where, 'select word from kept')).toEqual([{ word: 'here' }])
})

test('a Postgres that outlived its supervisor is taken over', async () => {
  await startDatabase()
  const before = (await keptParts(site))?.get('postgres')
  await killAll('none')
  await startDatabase()
  expect((await keptParts(site))?.get('postgres')).toBe(before)
})

test('Docker starts over the pid file and sockets of a killed one', async () => {
  const socketPath = join(site.layout.run, 'docker.sock')
  await startDocker(site, await supervised('docker'))
  await killAll('docker')
  await startDocker(site, await supervised('docker'))
  expect((await dockerInfo(socketPath)).LiveRestoreEnabled).toBe(true)
})

test('lxcfs is mounted anew over a mount whose process was killed', async () => {
  await startLxcfs(site, await supervised('lxcfs'))
  await killAll('lxcfs')
  const { where } = await startLxcfs(site, await supervised('lxcfs'))
  expect(where).toBe(join(site.layout.home, 'lxcfs'))
})

test('Open vSwitch starts over the sockets of a killed one', async () => {
  await supervised('ovs-vswitchd')
  await startOpenVswitch(site)
  await killAll('ovsdb-server')
  await supervised('ovs-vswitchd')
  expect((await startOpenVswitch(site)).origin).toBe('ours')
})

test('after a purge nothing is left of a home, not even the devices of a switch that was killed', async () => {
  const { where } = await startOpenVswitch(site)
  const bridge = new Bridge(where, site.config.bridge, site.config.namePrefix)
  await bridge.ensure('netdev')
  bridge.close()
  // Beside another userspace switch in this network it could make no device: it is as if it had been alone.
  if ((await devices()).length === 0) await execa('ip', ['tuntap', 'add', 'dev', 'br-second', 'mode', 'tap'])
  const pids = [...((await keptParts(site)) ?? [])].map(([, pid]) => pid)
  expect(pids.length).toBeGreaterThan(3)
  await killAll('ovs-vswitchd')
  expect(await devices()).toEqual(['br-second'])
  await purge(site.config)
  expect(await devices()).toEqual([])
  expect(pids.filter((pid) => identify(pid))).toEqual([])
  const mounts = await readFile('/proc/mounts', 'utf8')
  expect(mounts.split('\n').filter((line) => line.includes(site.layout.home))).toEqual([])
  expect(await readFile('/etc/passwd', 'utf8')).not.toMatch(/^second-/m)
  expect(await readFile('/etc/subuid', 'utf8')).not.toMatch(/^second-/m)
  expect(await readdir(join(site.layout.home, '..'))).not.toContain('second')
})
