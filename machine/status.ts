/** Each part: up or not, version, pid, where. */
import { basename } from 'node:path'
import { publicUrl, variableOf, withoutPassword } from '../core/config.ts'
import { Forbidden, Unavailable } from '../core/errors.ts'
import { hostsBeside } from './hosts.ts'
import type { Site } from './parts/part.ts'
import { environmentOfService, processesOf } from './services.ts'
import { ask } from './supervisor-protocol.ts'

/** The real parts, and the setting that names one which runs without us. */
const settingOf = new Map<string, 'databaseUrl' | 'dockerHost' | 'ovsSocket' | 'registryUrl' | 'lxcfsDir'>([
  ['postgres', 'databaseUrl'],
  ['docker', 'dockerHost'],
  ['ovsdb-server', 'ovsSocket'],
  ['ovs-vswitchd', 'ovsSocket'],
  ['registry', 'registryUrl'],
  ['lxcfs', 'lxcfsDir'],
])

/** What `up` told the services; nothing when none is to run. */
async function told(site: Site): Promise<Record<string, string>> {
  try {
    return await environmentOfService(site, processesOf(site.config)[0]?.name ?? 'agent')
  } catch (error) {
    if (error instanceof Unavailable) return {}
    throw error
  }
}

function whereIs({ config, layout }: Site): Readonly<Record<string, string>> {
  return {
    postgres: `127.0.0.1:${config.postgresPort}`,
    docker: `unix://${layout.run}/docker.sock`,
    'ovsdb-server': `${layout.run}/openvswitch/db.sock`,
    registry: `${config.registryAddress}:${config.registryPort}`,
    'registry-mirror': `${config.registryAddress}:${config.registryMirrorPort}`,
    lxcfs: `${layout.home}/lxcfs`,
    api: publicUrl(config),
  }
}

/** A part as `./berth status` shows it. */
export interface PartLine {
  readonly name: string
  readonly state: 'up' | 'down' | 'given'
  readonly pid: number | null
  readonly restarts: number
  readonly where: string
}

/** What the supervisor keeps and what was given; a part that neither has is down. */
export async function statusOf(site: Site): Promise<readonly PartLine[]> {
  const hosts = await Promise.all(
    hostsBeside(site).map(async (host) =>
      (await partsOf(host))
        .filter(({ state }) => state !== 'given')
        .map((line) => ({ ...line, name: `${basename(host.layout.home)}/${line.name}` })),
    ),
  )
  return [...(await partsOf(site)), ...hosts.flat()]
}

async function partsOf(site: Site): Promise<readonly PartLine[]> {
  const parts = await ask(site.layout.supervisorSocket, { op: 'status' }).catch((error: unknown) => {
    if (error instanceof Forbidden) throw error
    return []
  })
  const byName = new Map(parts.map((part) => [part.name, part]))
  const env = parts.length > 0 ? await told(site) : {}
  const where = whereIs(site)
  const mirror = site.config.registryMirrorPort === null ? [] : ['registry-mirror']
  return [...settingOf.keys(), ...mirror, ...processesOf(site.config).map(({ name }) => name)].map((name) => {
    const kept = byName.get(name)
    const pid = kept?.pid ?? null
    // Named by a setting; or found running by `up`, so that nothing of the kind is kept here.
    const setting = settingOf.get(name)
    const theirs = setting && (site.config[setting] ?? (kept ? null : env[variableOf(setting)]))
    const state = pid !== null ? 'up' : theirs ? 'given' : 'down'
    return {
      name,
      state,
      pid,
      restarts: kept?.restarts ?? 0,
      where: (theirs && withoutPassword(theirs)) ?? where[name.replace(/^api-\d$/, 'api')] ?? '',
    }
  })
}

export function statusTable(lines: readonly PartLine[]): string {
  const rows = [
    ['PART', 'STATE', 'PID', 'RESTARTS', 'WHERE'],
    ...lines.map((one) => [one.name, one.state, String(one.pid ?? '-'), String(one.restarts), one.where]),
  ]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
