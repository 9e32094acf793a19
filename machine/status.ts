/** Each part: up or not, version, pid, where. */
import { basename } from 'node:path'
import { publicUrl, withoutPassword } from '../core/config.ts'
import { Forbidden } from '../core/errors.ts'
import { hostsBeside } from './hosts.ts'
import type { Site } from './parts/part.ts'
import { processesOf } from './services.ts'
import { ask } from './supervisor-protocol.ts'

const realParts = ['postgres', 'docker', 'ovsdb-server', 'ovs-vswitchd', 'registry', 'lxcfs'] as const

/** Parts that the user gave run without us. */
function given({ config }: Site): ReadonlyMap<string, string> {
  const pairs = [
    ['postgres', config.databaseUrl === null ? null : withoutPassword(config.databaseUrl)],
    ['docker', config.dockerHost],
    ['ovsdb-server', config.ovsSocket],
    ['registry', config.registryUrl],
    ['lxcfs', config.lxcfsDir],
  ] as const
  return new Map(pairs.flatMap(([name, where]) => (where === null ? [] : [[name, where] as const])))
}

function whereIs({ config, layout }: Site): Readonly<Record<string, string>> {
  return {
    postgres: `127.0.0.1:${config.postgresPort}`,
    docker: `unix://${layout.run}/docker.sock`,
    'ovsdb-server': `${layout.run}/openvswitch/db.sock`,
    registry: `${config.registryAddress}:${config.registryPort}`,
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
  const theirs = given(site)
  const where = whereIs(site)
  return [...realParts, ...processesOf(site.config).map(({ name }) => name)].map((name) => {
    const kept = byName.get(name)
    const pid = kept?.pid ?? null
    const state = pid !== null ? 'up' : theirs.has(name) ? 'given' : 'down'
    return {
      name,
      state,
      pid,
      restarts: kept?.restarts ?? 0,
      where: theirs.get(name) ?? where[name.replace(/^api-\d$/, 'api')] ?? '',
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
