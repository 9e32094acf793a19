/** /os-simple-tenant-usage. Source: nova/api/openstack/compute/simple_tenant_usage.py. */
import { Invalid } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'
import { findServer } from '../../db/servers.ts'
import { usedServers, type UsedServer, type UsageWindow } from '../../db/usage.ts'
import { linksField, nextHref, pageOf, type Page } from '../page.ts'
import { allow } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { refuseParameters } from './keys.ts'
import { timeOf } from './times.ts'

type Json = Readonly<Record<string, unknown>>
type Span = Pick<UsageWindow, 'start' | 'stop'>

const hourMs = 3_600_000
const fourWeeksMs = 28 * 24 * hourMs

function time(date: Date): string {
  return date.toISOString().replace('Z', '000')
}

function hoursOf({ launchedAt, terminatedAt }: UsedServer, { start, stop }: Span): number {
  const from = Math.max(launchedAt.getTime(), start.getTime())
  const to = Math.min(terminatedAt?.getTime() ?? stop.getTime(), stop.getTime())
  return Math.max(0, to - from) / hourMs
}

function diskOf({ flavor }: UsedServer): number {
  return flavor.diskGiB + (flavor.ephemeralGiB ?? 0)
}

function serverView(server: UsedServer, span: Span): Json {
  const { flavor, terminatedAt, launchedAt } = server
  const until = terminatedAt ?? new Date()
  return {
    instance_id: server.id,
    name: server.name,
    tenant_id: server.projectId,
    flavor: flavor.name,
    vcpus: flavor.vcpus,
    memory_mb: flavor.memoryMiB,
    local_gb: diskOf(server),
    hours: hoursOf(server, span),
    started_at: time(launchedAt),
    ended_at: terminatedAt === null ? null : time(terminatedAt),
    state: terminatedAt === null ? server.vmState : 'terminated',
    uptime: Math.max(0, Math.floor((until.getTime() - launchedAt.getTime()) / 1000)),
  }
}

function projectView(
  projectId: string,
  servers: readonly UsedServer[],
  { span, isDetailed }: { readonly span: Span; readonly isDetailed: boolean },
): Json {
  const sum = (of: (server: UsedServer) => number): number =>
    servers.reduce((total, server) => total + of(server) * hoursOf(server, span), 0)
  return {
    tenant_id: projectId,
    start: time(span.start),
    stop: time(span.stop),
    total_hours: sum(() => 1),
    total_vcpus_usage: sum(({ flavor }) => flavor.vcpus),
    total_memory_mb_usage: sum(({ flavor }) => flavor.memoryMiB),
    total_local_gb_usage: sum(diskOf),
    ...(isDetailed ? { server_usages: servers.map((server) => serverView(server, span)) } : {}),
  }
}

/** The four weeks until now, where nothing else is asked for. @throws Invalid when it begins after its end */
function spanOf({ query }: Call): Span {
  const now = new Date()
  const stop = timeOf(query, 'end') ?? now
  const start = timeOf(query, 'start') ?? new Date(now.getTime() - fourWeeksMs)
  if (start >= stop) throw new Invalid('Invalid start time. The start time cannot occur after the end time.')
  return { start, stop }
}

/** Pages of servers came at 2.40. @throws Invalid when there is no such server */
async function pageIn({ db, query, version }: Call): Promise<Page | null> {
  if (version < 40) return null
  const page = pageOf(query)
  if (page.marker !== null && !(isUuid(page.marker) && (await findServer(db, page.marker))))
    throw new Invalid(`marker [${page.marker}] not found`)
  return page
}

interface Used {
  readonly span: Span
  readonly servers: readonly UsedServer[]
  readonly href: string | null
}

async function used(call: Call, projectId: string | null): Promise<Used> {
  refuseParameters(call.query, ['start', 'end', 'detailed', 'limit', 'marker'], call.version)
  const span = spanOf(call)
  const page = await pageIn(call)
  const window = { ...span, projectId, limit: page?.limit ?? null, marker: page?.marker ?? null }
  const servers = await usedServers(call.db, window)
  const ids = servers.map(({ id }) => id)
  return { span, servers, href: page === null ? null : nextHref(call, page, ids) }
}

export async function index(call: Call): Promise<Reply> {
  const { span, servers, href } = await used(call, null)
  const isDetailed = call.query.get('detailed') === '1'
  const byProject = Map.groupBy(servers, ({ projectId }) => projectId)
  const usages = [...byProject].map(([projectId, own]) => projectView(projectId, own, { span, isDetailed }))
  return { status: 200, body: { tenant_usages: usages, ...linksField('tenant_usages', href) } }
}

/** A project sees its own; one that used nothing has an empty usage. */
export async function show(call: Call): Promise<Reply> {
  const { project = '' } = call.params
  if (project !== call.caller.projectId) allow(call.caller, 'os_compute_api:os-simple-tenant-usage:list')
  const { span, servers, href } = await used(call, project)
  const usage = servers.length === 0 ? {} : projectView(project, servers, { span, isDetailed: true })
  return { status: 200, body: { tenant_usage: usage, ...linksField('tenant_usage', href) } }
}
