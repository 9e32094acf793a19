/** Unshelve, where the caller says where: a zone since 2.77, a host since 2.91. Source: nova/api/openstack/compute/shelve.py. */
import { z } from 'zod'
import { Conflict, Invalid } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { listZones } from '../../../db/host-status.ts'
import { zoneOf } from '../../../db/hosts.ts'
import { updateServer } from '../../../db/servers.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { minorOf } from '../../microversion.ts'
import { allow } from '../../policy.ts'
import type { Call } from '../../route.ts'
import { beginChange, refuseIfLocked } from '../servers/change.ts'
import type { Action } from './action.ts'

const name = z.string().min(1).max(255)
const zoneBody = z.strictObject({ unshelve: z.strictObject({ availability_zone: name }).nullable() })
const placeBody = z.strictObject({
  unshelve: z
    .strictObject({ availability_zone: name.nullable().optional(), host: name.optional() })
    .refine((place) => Object.keys(place).length > 0, '{} does not have enough properties')
    .nullable(),
})

interface Place {
  /** null = any zone from now on, undefined = as it was */
  readonly zone: string | null | undefined
  readonly host: string | null
}

/** Before 2.77 Nova looks at nothing that comes with it. */
function parse({ version, body }: Call): Place | null {
  if (version < minorOf('2.77')) return null
  const schema = version < minorOf('2.91') ? zoneBody : placeBody
  const wanted: z.output<typeof placeBody>['unshelve'] = parseBody(schema, body).unshelve
  return wanted && { zone: wanted.availability_zone, host: wanted.host ?? null }
}

/** @throws Invalid for what is not there; Conflict when the host is outside of the server's zone */
async function checkPlace(trx: Transaction, server: Server, { zone, host }: Place): Promise<void> {
  const known = await listZones(trx)
  if (zone != null && !known.some((one) => one.name === zone))
    throw new Invalid('The requested availability zone is not available')
  if (host === null) return
  const itsZone = await zoneOf(trx, host)
  if (itsZone === null) throw new Invalid(`Compute host ${host} could not be found.`)
  const pinned = zone === undefined ? server.pinnedZone : zone
  if (pinned !== null && pinned !== itsZone)
    throw new Conflict(`Host "${host}" is not in the availability zone "${pinned}".`)
}

/** A server that still stands on its host starts there: only one that was offloaded can be sent somewhere. */
export const unshelve: Action = async (call, server) => {
  const place = parse(call)
  if (place?.host != null) allow(call.caller, 'os_compute_api:os-shelve:unshelve_to_host')
  refuseIfLocked(call, server)
  await call.db.transaction(async (trx) => {
    const row = await beginChange(trx, call, server, { name: 'server.unshelve', action: 'unshelve' })
    if (place && row.vmState !== 'shelved_offloaded')
      throw new Conflict(`Instance ${server.id} is not offloaded, and starts where it stands: no place can be named.`)
    if (place) await checkPlace(trx, row, place)
    const zone = place?.zone === undefined ? {} : { pinnedZone: place.zone }
    if (row.host === null) await updateServer(trx, server.id, { requestedHost: place?.host ?? null, ...zone })
    const payload = { serverId: server.id, requestId: call.requestId }
    if (row.host === null) await enqueue(trx, 'schedule', { ...payload, adminPassword: null })
    else await enqueue(trx, 'server.unshelve', payload, row.host)
  })
  return { status: 202 }
}
