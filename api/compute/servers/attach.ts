/** Ports that a server gets and loses while it is there. Source: nova/api/openstack/compute/attach_interfaces.py. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { Conflict, Invalid, NotFound } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { VmState } from '../../../core/states.ts'
import { insertAction, type ActionName } from '../../../db/actions.ts'
import type { Transaction } from '../../../db/connect.ts'
import type { Viewer } from '../../../db/images.ts'
import { freePosition, listPorts, type PortWithAddresses } from '../../../db/ports.ts'
import { defaultGroup } from '../../../db/security-groups.ts'
import { holdServer } from '../../../db/server-hold.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { viewerOf } from '../../caller.ts'
import type { Call, Reply } from '../../route.ts'
import { refuseIfLocked } from './change.ts'
import { serverOf } from './find.ts'
import { interfaceView } from './interfaces.ts'
import { automatic, onNetwork, onPort, plan, withinPortQuota, type Nic } from './nics.ts'

const attachableStates: readonly VmState[] = ['active', 'paused', 'stopped']

const fixedIps = z
  .array(
    z.strictObject({ ip_address: z.string().refine((text) => isIP(text) !== 0, { error: 'is not an IP address' }) }),
  )
  .min(1)
  .max(1)
const wanted = z.strictObject({
  net_id: z.uuid().optional(),
  port_id: z.uuid().optional(),
  fixed_ips: fixedIps.optional(),
  tag: z
    .string()
    .min(1)
    .max(60)
    .regex(/^[^,/]*$/)
    .optional(),
})
const body = z.strictObject({ interfaceAttachment: wanted })
type Wanted = z.output<typeof wanted>

function parse({ body: given, version }: Call): Wanted {
  const { interfaceAttachment: asked } = parseBody(body, given)
  if (asked.tag !== undefined && version < 49)
    throw new Invalid(
      "Invalid input for field/attribute interfaceAttachment. Value: tag. Additional properties are not allowed ('tag' was unexpected)",
    )
  if (asked.net_id !== undefined && asked.port_id !== undefined)
    throw new Invalid('Must not input both network_id and port_id')
  if (asked.fixed_ips && asked.net_id === undefined) throw new Invalid('Must input network_id when request IP address')
  return asked
}

async function nicOf(trx: Transaction, asked: Wanted, viewer: Viewer): Promise<Nic> {
  if (asked.port_id !== undefined) return await onPort(trx, asked.port_id, viewer)
  if (asked.net_id === undefined) {
    const [nic] = await automatic(trx, viewer, true)
    if (!nic) throw new Invalid('No network is there to attach.')
    return nic
  }
  const address = asked.fixed_ips?.[0]?.ip_address ?? null
  return await onNetwork(trx, asked.net_id, { address, viewer })
}

/** A change of a server's ports: the action of the user's, seen in its list. */
async function recordAction(
  trx: Transaction,
  { requestId, caller }: Call,
  { id: serverId, projectId }: Server,
  action: ActionName,
): Promise<void> {
  await insertAction(trx, { serverId, requestId, action, userId: caller.userId, projectId })
}

async function addPort(trx: Transaction, call: Call, { id, asked }: { id: string; asked: Wanted }): Promise<number> {
  const server = await holdServer(trx, id, { states: attachableStates, verb: 'attach_interface' })
  const { host, projectId, availabilityZone, name } = server
  if (host === null) throw new Conflict(`Instance ${id} is not ready`)
  const viewer = viewerOf(call.caller)
  const nic = { ...(await nicOf(trx, asked, viewer)), tag: asked.tag ?? null }
  const position = await freePosition(trx, id)
  const securityGroupIds = [(await defaultGroup(trx, projectId)).id]
  await plan(trx, nic, position, { serverId: id, name, projectId, availabilityZone, securityGroupIds, host })
  await withinPortQuota(trx, projectId)
  await recordAction(trx, call, server, 'attach_interface')
  await enqueue(trx, 'server.wire', { serverId: id, requestId: call.requestId, gone: [] }, host)
  return position
}

/** All ports of a server, whoever owns them. */
async function portsOf(call: Call, serverId: string): Promise<readonly PortWithAddresses[]> {
  return await listPorts(call.db, { deviceIds: [serverId] }, { projectId: '', isAdmin: true })
}

/** The port is the server's when this answers; it is ACTIVE when it is in the guest. */
export async function attach(call: Call): Promise<Reply> {
  const server = await serverOf(call, call.params.id)
  const asked = parse(call)
  refuseIfLocked(call, server)
  const position = await call.db.transaction((trx) => addPort(trx, call, { id: server.id, asked }))
  const port = (await portsOf(call, server.id)).find((one) => one.position === position)
  if (!port) throw new NotFound('Port', asked.port_id ?? '')
  return { status: 200, body: { interfaceAttachment: interfaceView(port, call.version) } }
}

/** The port is in the list until it is out of the guest. */
export async function detach(call: Call): Promise<Reply> {
  const { id, port: portId = '' } = call.params
  const server = await serverOf(call, id)
  refuseIfLocked(call, server)
  await call.db.transaction(async (trx) => {
    const { host } = await holdServer(trx, server.id, { states: attachableStates, verb: 'detach_interface' })
    const port = (await portsOf({ ...call, db: trx }, server.id)).find((one) => one.id === portId)
    if (!port) throw new NotFound('Port', portId)
    if (host === null) throw new Conflict(`Instance ${server.id} is not ready`)
    await recordAction(trx, call, server, 'detach_interface')
    await enqueue(trx, 'server.detach', { serverId: server.id, requestId: call.requestId, portId }, host)
  })
  return { status: 202 }
}
