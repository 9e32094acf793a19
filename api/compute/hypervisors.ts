/** /os-hypervisors: the hosts, with what they have and what is taken of it. */
import { z } from 'zod'
import { Invalid, NotFound } from '../../core/errors.ts'
import type { Server } from '../../core/server.ts'
import { isUuid } from '../../core/uuid.ts'
import { hostsWithUse, type HostUse } from '../../db/hosts.ts'
import { serversOnHost } from '../../db/servers.ts'
import { parseQuery } from '../body.ts'
import { HttpFault } from '../faults.ts'
import { linksField, maxLimit, nextHref, pageOf, type Page } from '../page.ts'
import type { Call, Reply } from '../route.ts'
import { refuseParameters } from './keys.ts'
import { hostIdAt, hypervisorReference, hypervisorView, statisticsOf, uptimeOf } from './views/hypervisor.ts'

type Json = Readonly<Record<string, unknown>>
type View = (host: HostUse) => Json

const query = z.object({ with_servers: z.stringbool().default(false) })

function serverNames(servers: readonly Server[]): Json {
  return { servers: servers.map(({ id, name }) => ({ name, uuid: id })) }
}

/** Before 2.75 a host without servers has no list of them. */
async function withServers(call: Call, hosts: readonly HostUse[], view: View): Promise<readonly Json[]> {
  const shown: Json[] = []
  for (const host of hosts) {
    const servers = await serversOnHost(call.db, host.name)
    shown.push({ ...view(host), ...(servers.length > 0 || call.version >= 75 ? serverNames(servers) : {}) })
  }
  return shown
}

/** @throws NotFound when none matches */
async function matching({ db }: Call, pattern: string): Promise<readonly HostUse[]> {
  const hosts = (await hostsWithUse(db)).filter(({ name }) => name.includes(pattern))
  if (hosts.length === 0) throw new NotFound('Hypervisor matching', `'${pattern}'`)
  return hosts
}

function pageOfHosts(call: Call, hosts: readonly HostUse[], { limit, marker }: Page): readonly HostUse[] {
  const place = marker === null ? -1 : hosts.findIndex((host) => String(hostIdAt(host, call.version)) === marker)
  if (marker !== null && place < 0) throw new Invalid(`marker [${marker}] not found`)
  return hosts.slice(place + 1, place + 1 + limit)
}

/** Pages came at 2.33, the pattern at 2.53; the two do not go together. */
async function wantedHosts(call: Call): Promise<{ readonly hosts: readonly HostUse[]; readonly links: Json }> {
  const pattern = call.version >= 53 ? call.query.get('hypervisor_hostname_pattern') : null
  if (pattern !== null) {
    if (call.query.has('limit') || call.query.has('marker'))
      throw new Invalid(
        'Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.',
      )
    return { hosts: await matching(call, pattern), links: {} }
  }
  const page = call.version >= 33 ? pageOf(call.query) : { limit: maxLimit, marker: null }
  const hosts = pageOfHosts(call, await hostsWithUse(call.db), page)
  const ids = hosts.map((host) => String(hostIdAt(host, call.version)))
  return { hosts, links: call.version >= 33 ? linksField('hypervisors', nextHref(call, page, ids)) : {} }
}

async function list(call: Call, view: View): Promise<Reply> {
  const paging = ['limit', 'marker']
  refuseParameters(call.query, [...paging, 'hypervisor_hostname_pattern', 'with_servers'], call.version)
  const wanted = call.version >= 53 && parseQuery(query, call.query).with_servers
  const { hosts, links } = await wantedHosts(call)
  const hypervisors = wanted ? await withServers(call, hosts, view) : hosts.map(view)
  return { status: 200, body: { hypervisors, ...links } }
}

export async function index(call: Call): Promise<Reply> {
  return await list(call, (host) => hypervisorReference(host, call.version))
}

export async function detail(call: Call): Promise<Reply> {
  return await list(call, (host) => hypervisorView(host, call.version))
}

/** @throws Invalid when the id is no UUID, from 2.53; NotFound */
async function hostOf({ db, version, params }: Call): Promise<HostUse> {
  const { id = '' } = params
  if (version >= 53 && !isUuid(id)) throw new Invalid(`Invalid uuid ${id}`)
  const host = (await hostsWithUse(db)).find((known) => String(hostIdAt(known, version)) === id)
  if (!host) throw new NotFound('Hypervisor with ID', `'${id}'`)
  return host
}

export async function show(call: Call): Promise<Reply> {
  // What `statistics` was until 2.88 is no id of a host.
  if (call.params.id === 'statistics') throw new HttpFault(404, 'The resource could not be found.')
  refuseParameters(call.query, ['with_servers'], call.version)
  const wanted = call.version >= 53 && parseQuery(query, call.query).with_servers
  const host = await hostOf(call)
  const view: View = (of) => hypervisorView(of, call.version)
  const [hypervisor] = wanted ? await withServers(call, [host], view) : [view(host)]
  return { status: 200, body: { hypervisor } }
}

/** GET /os-hypervisors/{id}/uptime, until 2.88 */
export async function uptime(call: Call): Promise<Reply> {
  const host = await hostOf(call)
  const text = uptimeOf(host, new Date())
  if (text === null) throw new Invalid(`Compute service of ${host.name} is unavailable at this time.`)
  return { status: 200, body: { hypervisor: { ...hypervisorReference(host, call.version), uptime: text } } }
}

/** GET /os-hypervisors/{pattern}/search, until 2.53 */
export async function search(call: Call): Promise<Reply> {
  const hosts = await matching(call, call.params.id ?? '')
  return { status: 200, body: { hypervisors: hosts.map((host) => hypervisorReference(host, call.version)) } }
}

/** GET /os-hypervisors/{pattern}/servers, until 2.53 */
export async function servers(call: Call): Promise<Reply> {
  const hosts = await matching(call, call.params.id ?? '')
  const view: View = (host) => hypervisorReference(host, call.version)
  return { status: 200, body: { hypervisors: await withServers(call, hosts, view) } }
}

/** GET /os-hypervisors/statistics, until 2.88: sums over the hosts that are enabled. */
export async function statistics({ db }: Call): Promise<Reply> {
  const hosts = (await hostsWithUse(db)).filter(({ isEnabled }) => isEnabled)
  const all = hosts.map(statisticsOf)
  const names = [
    'vcpus',
    'vcpus_used',
    'memory_mb',
    'memory_mb_used',
    'free_ram_mb',
    'local_gb',
    'local_gb_used',
    'free_disk_gb',
    'disk_available_least',
    'running_vms',
    'current_workload',
  ]
  const sums = names.map((name) => [name, all.reduce((sum, one) => sum + (one[name] ?? 0), 0)] as const)
  return { status: 200, body: { hypervisor_statistics: { count: hosts.length, ...Object.fromEntries(sums) } } }
}
