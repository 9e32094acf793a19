/** What tests made and did not remove: containers, groups, ports, devices, namespaces, databases. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { connect } from '../../db/connect.ts'
import { DockerDriver } from '../../driver/docker/driver.ts'
import type { Site } from '../../machine/parts/part.ts'
import { listNamespaces } from '../../netns/namespace.ts'
import { Ovsdb } from '../../netns/ovsdb.ts'

/** The cloud that journeys share keeps its bridge, the gateway of its network and its metadata service until the end of the run. */
const keptRoles = ['gateway', 'metadata'] as const

async function containers({ config, layout }: Site): Promise<readonly string[]> {
  const socketPath = join(layout.run, 'docker.sock')
  if (!existsSync(socketPath)) return []
  const settings = { ociDirectory: join(layout.run, 'oci'), runtime: 'berth', lxcfsDir: null }
  const driver = new DockerDriver({ ...settings, socketPath, cgroupParent: `/${config.namePrefix}` })
  return (await driver.list()).map(({ name }) => `container ${name}`)
}

/** The engine's own group stays; a guest's is a directory in it. */
function groups({ config }: Site): readonly string[] {
  const root = '/sys/fs/cgroup'
  return ['', ...readdirSync(root)].flatMap((hierarchy) => {
    const directory = join(root, hierarchy, config.namePrefix)
    if (!existsSync(directory)) return []
    const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return children.map(({ name }) => `cgroup ${join(directory, name)}`)
  })
}

async function switchRows({
  config,
  layout,
}: Site): Promise<{ readonly left: readonly string[]; readonly kept: readonly string[] }> {
  const socketPath = join(layout.run, 'openvswitch', 'db.sock')
  if (!existsSync(socketPath)) return { left: [], kept: [] }
  const ovsdb = new Ovsdb(socketPath)
  try {
    const named = z.object({ name: z.string() })
    const bridges = await ovsdb.select('Bridge', [], named, ['name'])
    const roles = keptRoles.map((role) => ['map', [['berth-role', role]]])
    const rows = roles.map((role) => ovsdb.select('Port', [['external_ids', 'includes', role]], named, ['name']))
    const hosts = (await Promise.all(rows)).flat()
    const ports = await ovsdb.select('Port', [], named, ['name'])
    const kept = [config.bridge, ...hosts.map(({ name }) => name)]
    const left = [...bridges, ...ports].filter(({ name }) => !kept.includes(name))
    return { left: [...new Set(left.map(({ name }) => `Open vSwitch row ${name}`))], kept }
  } finally {
    ovsdb.close()
  }
}

function devices(kept: readonly string[]): readonly string[] {
  const names = readFileSync('/proc/self/net/dev', 'utf8').matchAll(/^\s*([^\s:]+):/gm)
  // What Open vSwitch makes for itself, and what the kernel puts into every new namespace.
  const isBuiltIn = (name: string): boolean =>
    /^(lo|ovs-.*|tunl0|sit0|gre0|gretap0|erspan0|ip.*tnl0|ip_vti0|ip6.*)$/.test(name)
  return [...names].flatMap(([, name = '']) => (isBuiltIn(name) || kept.includes(name) ? [] : [`device ${name}`]))
}

/** Those that the shared cloud made in advance are nobody's. */
function namespaces({ layout }: Site): readonly string[] {
  return listNamespaces({ directory: join(layout.run, 'netns'), guestRootUid: 0 }).map((name) => `namespace ${name}`)
}

async function databases({ config, layout }: Site): Promise<readonly string[]> {
  const passwordPath = join(layout.keys, 'postgres')
  if (!existsSync(passwordPath)) return []
  const url = new URL(`postgres://postgres@127.0.0.1:${config.postgresPort}/postgres`)
  url.password = readFileSync(passwordPath, 'utf8').trim()
  const db = connect(url.href, { size: 1, name: 'leftovers' })
  try {
    const rows = z
      .array(z.object({ datname: z.string() }))
      .parse(await db('pg_database').where('datname', 'like', 'test\\_%'))
    return rows.map(({ datname }) => `database ${datname}`)
  } finally {
    await db.destroy()
  }
}

/** One line for each thing that is still there. */
export async function leftovers(site: Site): Promise<readonly string[]> {
  const { left, kept } = await switchRows(site)
  const rest = [...(await containers(site)), ...groups(site), ...left, ...devices(kept), ...namespaces(site)]
  return [...rest, ...(await databases(site))]
}
