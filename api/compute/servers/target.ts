/** Where a new server may go: zone, host, group. What does not exist is bad input, in Nova's words. */
import { Forbidden, Invalid, NotFound } from '../../../core/errors.ts'
import { defaultZone } from '../../../db/aggregates.ts'
import type { Transaction } from '../../../db/connect.ts'
import { listZones } from '../../../db/host-status.ts'
import { hostExists } from '../../../db/hosts.ts'
import { countMembers, getServerGroup } from '../../../db/server-groups.ts'
import { quotasOf, withinCount } from '../../../db/quotas.ts'
import { projectOf, type Caller } from '../../caller.ts'
import { isAllowed, type Rule } from '../../policy.ts'
import type { CreateServer } from './create-body.ts'
import type { Hints } from './hints.ts'

/** Where a server is to go, if its user may say so. */
export interface Target {
  /** the zone asked for, if any */
  readonly pinnedZone: string | null
  readonly requestedHost: string | null
}

function require(caller: Caller, rule: Rule): void {
  if (!isAllowed(caller, rule)) throw new Forbidden(`Policy doesn't allow ${rule} to be performed.`)
}

/** `zone`, `zone:host` or `zone:host:node`; a node is its host here. */
function partsOf(text: string): { readonly zone: string; readonly host: string | null } {
  const [zone = '', host = '', node = '', ...rest] = text.split(':')
  if (rest.length > 0) throw new Invalid('Unable to parse availability zone: more than two colons')
  return { zone, host: host === '' ? (node === '' ? null : node) : host }
}

/** From 2.74 an administrator names a host beside the zone; the two names are of one machine. */
function namedHost({ host, hypervisor_hostname: node }: CreateServer, caller: Caller): string | null {
  if (host === undefined && node === undefined) return null
  require(caller, 'os_compute_api:servers:create:requested_destination')
  if (host !== undefined && node !== undefined && host !== node)
    throw new Invalid(`Compute host ${host} could not be found.`)
  return host ?? node ?? null
}

/** @throws Invalid when no host is in the zone, or there is no such host; Forbidden for a host, to who is no administrator */
export async function resolveTarget(trx: Transaction, wanted: CreateServer, caller: Caller): Promise<Target> {
  const named = namedHost(wanted, caller)
  const { zone, host } = partsOf(wanted.availability_zone ?? '')
  if (host !== null) require(caller, 'os_compute_api:servers:create:forced_host')
  if (host !== null && named !== null)
    throw new Invalid('Unable to specify a host in the availability zone and beside it.')
  const requestedHost = named ?? host
  if (requestedHost !== null && !(await hostExists(trx, requestedHost)))
    throw new Invalid(`Compute host ${requestedHost} could not be found.`)
  if (zone === '') return { pinnedZone: null, requestedHost }
  const known = await listZones(trx)
  if (zone !== defaultZone && !known.some(({ name }) => name === zone))
    throw new Invalid('The requested availability zone is not available')
  // Who names a host has said it all: the zone of that host does not matter.
  return { pinnedZone: host === null ? zone : null, requestedHost }
}

/** The group that the hint names. @throws Invalid when there is none that the caller may see */
export async function resolveGroup(trx: Transaction, { group }: Hints, caller: Caller): Promise<string | null> {
  if (group === undefined || group === null) return null
  try {
    return (await getServerGroup(trx, group, caller.isAdmin ? null : projectOf(caller))).id
  } catch (error) {
    throw error instanceof NotFound ? new Invalid(error.message, { cause: error }) : error
  }
}

/** Call it when the servers are in the group. @throws OverQuota */
export async function checkMembers(trx: Transaction, groupId: string, projectId: string): Promise<void> {
  const { server_group_members: most } = await quotasOf(trx, projectId)
  await withinCount(trx, most, {
    what: `members of server group ${groupId}`,
    count: () => countMembers(trx, groupId),
    sentence: 'Quota exceeded, too many servers in group',
  })
}
