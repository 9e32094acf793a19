/** What stands on a host and contradicts the rows is named, and mended where that is safe. */
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Db } from '../../db/connect.ts'
import { guestLabel } from '../../driver/docker/container.ts'
import { environmentOfService } from '../../machine/services.ts'
import { Bridge } from '../../netns/bridge.ts'
import { ensureNamespace } from '../../netns/namespace.ts'
import { databaseOf } from '../faults/services.ts'
import { User } from '../faults/user.ts'
import { witness, type Witness } from '../faults/witness.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { deletedServer, forget, look, unswept } from './drift.ts'

let cloud: TestCloud
let db: Db
let user: User
let guest: Witness
beforeAll(async () => {
  cloud = await startCloud()
  db = await databaseOf(cloud)
  user = await User.of(cloud)
  guest = await witness(user, 'audited')
}, 600_000)
afterAll(async () => {
  await user.change(guest.id, 'delete')
  await user.reaches(guest.id, 'gone')
  expect(await cloud.audit()).toEqual([])
  await db.destroy()
}, 120_000)

async function openBridge(): Promise<Bridge> {
  const { BERTH_OVS_SOCKET = '' } = await environmentOfService(cloud.site, 'agent')
  return new Bridge(BERTH_OVS_SOCKET, cloud.site.config.bridge, cloud.site.config.namePrefix)
}

/** As the host's own tools say it. */
async function said(command: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await execa(command, words, { timeout: 30_000 })
  return stdout.trim()
}

function engine(...words: readonly string[]): Promise<string> {
  return said('docker', '--host', `unix://${join(cloud.site.layout.run, 'docker.sock')}`, ...words)
}

/** Eleven minutes old. */
function writeOld(path: string): string {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, 'half')
  utimesSync(path, Date.now() / 1000 - 660, Date.now() / 1000 - 660)
  return path
}

test('namespaces, switch ports, limits, control groups and files that no row knows are named and removed', async () => {
  const [id, containerId] = [randomUUID(), randomBytes(32).toString('hex')]
  const { config, layout } = cloud.site
  const hierarchy = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '' : 'pids'
  const group = join('/sys/fs/cgroup', hierarchy, config.namePrefix, containerId)
  const bridge = await openBridge()
  try {
    await unswept(cloud, db, async () => {
      await ensureNamespace({ directory: join(layout.run, 'netns'), guestRootUid: 0 }, id)
      await mkdir(join(layout.home, 'guests', id), { recursive: true })
      await mkdir(group)
      await bridge.add({
        device: 'odd0',
        vlan: null,
        internal: { mac: '0a:00:00:00:00:01', mtu: 1500 },
        externalIds: {},
      })
      await bridge.setLimit('gone0', { rate: 1000, burst: 100 })
      const files = [
        writeOld(join(layout.run, 'oci', 'spec.part')),
        writeOld(join(layout.run, 'capture', config.hostName, 'disk')),
      ]
      const spec = writeOld(join(layout.run, 'oci', containerId))
      const told = await look(cloud, true)
      const mended = told.filter(({ isMended }) => isMended).map(({ text }) => text)
      expect(mended.toSorted()).toEqual(
        [
          `namespace ${id} is of no server of this host`,
          `${join(layout.home, 'guests', id)} is of no server of this host`,
          `control group ${group} is of no container, 0 processes are in it`,
          "Open vSwitch port odd0 carries our mark, and is neither a guest's nor a gateway",
          'Open vSwitch keeps a limit for port gone0, which is not there',
          `${spec} is of no container`,
          ...files.map((path) => `${path} was never finished`),
        ].toSorted(),
      )
      expect(told).toHaveLength(mended.length)
      expect(await look(cloud, false)).toEqual([])
    })
    expect([id, containerId].flatMap((name) => [join(layout.run, 'netns', name), group]).filter(existsSync)).toEqual([])
  } finally {
    await bridge.setLimit('gone0', null)
    bridge.close()
  }
}, 240_000)

test('file systems of containers that do not run are named and unmounted', async () => {
  const { layout } = cloud.site
  const docker = join(layout.home, 'docker')
  const mapped = readdirSync(docker).find((name) => /^\d+\.\d+$/.test(name)) ?? ''
  const paths = [join(docker, mapped, 'overlay2', 'odd', 'merged'), join(layout.run, 'aside', randomUUID())]
  await unswept(cloud, db, async () => {
    for (const path of paths) {
      await mkdir(path, { recursive: true })
      await said('mount', '-t', 'tmpfs', 'odd', path)
    }
    expect((await look(cloud, true)).map(({ text, isMended }) => ({ text, isMended }))).toEqual(
      paths.map((path) => ({ text: expect.stringContaining(`${path} is mounted, and`), isMended: true })),
    )
    expect(await look(cloud, false)).toEqual([])
  })
  for (const path of paths) await rmdir(path)
  await rm(join(docker, mapped, 'overlay2', 'odd'), { recursive: true })
}, 240_000)

test('a container of a deleted server is removed; one whose server no row knows is told of and left, and others are not ours', async () => {
  const [unknown, deleted] = [randomUUID(), randomUUID()]
  await deletedServer(db, deleted)
  const image = (await engine('inspect', '--format', '{{.Image}}', `berth-${guest.id}`)).trim()
  const create = (...words: readonly string[]): Promise<string> => engine('create', ...words, image, 'true')
  const made: string[] = []
  try {
    await unswept(cloud, db, async () => {
      const label = (id: string): readonly string[] => ['--label', `${guestLabel}=${id}`]
      for (const words of [label(unknown), [...label(deleted), '--name', `berth-${deleted}`], []])
        made.push(await create(...words))
      const told = await look(cloud, true)
      expect(
        told.map(({ text, isMended }) => ({ text: text.replace(/^container \S+ \(\S+\) /, ''), isMended })),
      ).toEqual(
        expect.arrayContaining([
          { text: `carries our label, and no row knows server ${unknown}`, isMended: false },
          { text: 'belongs to a deleted server', isMended: true },
        ]),
      )
      expect(told).toHaveLength(2)
      const left = await engine('ps', '--all', '--quiet', '--no-trunc')
      expect(made.map((id) => left.includes(id))).toEqual([true, false, true])
    })
  } finally {
    for (const id of made) await engine('rm', '--force', id).catch(() => undefined)
    await forget(db, deleted)
  }
}, 240_000)

test('a second container of a server that runs beside its own is told of and left', async () => {
  const own = `berth-${guest.id}`
  const image = await engine('inspect', '--format', '{{.Image}}', own)
  const words = ['--detach', '--network', 'none', '--name', `${own}-twin`, '--label', `${guestLabel}=${guest.id}`]
  try {
    await unswept(cloud, db, async () => {
      const twin = await engine('run', ...words, '--entrypoint', 'sleep', image, '600')
      expect((await look(cloud, true)).map(({ check, text, isMended }) => ({ check, text, isMended }))).toEqual([
        {
          check: 'guests',
          text: `server ${guest.id} has a second container, ${own}-twin (${twin.slice(0, 12)}), which is running`,
          isMended: false,
        },
      ])
      expect(await engine('ps', '--quiet', '--no-trunc')).toContain(twin)
    })
  } finally {
    await engine('rm', '--force', `${own}-twin`)
  }
  expect(await look(cloud, false)).toEqual([])
}, 240_000)

test('a guest that stands still, wires that are cut and flows that are gone are named, and all is well again', async () => {
  const bridge = await openBridge()
  const port = (await bridge.ports()).find(({ externalIds }) => externalIds['vm-uuid'] === guest.id)
  const number = port?.ofport ?? 0
  const switchSocket = join(cloud.site.layout.run, 'openvswitch', `${cloud.site.config.bridge}.mgmt`)
  try {
    await unswept(cloud, db, async () => {
      await engine('pause', `berth-${guest.id}`)
      await said('ovs-ofctl', '-O', 'OpenFlow14', 'del-flows', `unix:${switchSocket}`, `table=0,in_port=${number}`)
      expect((await look(cloud, false)).map(({ check, text }) => ({ check, text }))).toEqual([
        { check: 'guests', text: `server ${guest.id} is active, its guest is paused` },
        { check: 'flows', text: expect.stringContaining(`OpenFlow number ${number}) sends into its network, tag`) },
      ])
      await engine('unpause', `berth-${guest.id}`)
      await bridge.remove(port?.device ?? '')
      const told = await look(cloud, true)
      expect(told).toContainEqual(
        expect.objectContaining({ check: 'wires', remedy: 'it is plugged again', isMended: true }),
      )
    })
    await until(async () => (await look(cloud, false)).length === 0, { timeoutMs: 60_000, what: 'no drift' })
    expect(await until(() => user.ssh(guest.address, 'hostname'), { timeoutMs: 30_000 })).toBe('audited')
  } finally {
    bridge.close()
  }
}, 300_000)
