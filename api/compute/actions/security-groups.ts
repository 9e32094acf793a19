import { z } from 'zod'
import { Conflict, NotFound } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { listPorts, setPortGroups, type PortWithAddresses } from '../../../db/ports.ts'
import { listSecurityGroups } from '../../../db/security-groups.ts'
import type { SecurityGroupRow } from '../../../db/tables.ts'
import { parseBody } from '../../body.ts'
import { tellGuest } from '../../network/change-port.ts'
import type { Action } from './action.ts'

/** By id or by name, in the server's project. @throws NotFound; Conflict when several have the name */
async function groupOf(trx: Transaction, name: string, { projectId }: Server): Promise<SecurityGroupRow> {
  const own = await listSecurityGroups(trx, { projectId }, { projectId, isAdmin: false })
  const byId = own.find(({ id }) => id === name)
  if (byId) return byId
  const [group, ...others] = own.filter((one) => one.name === name)
  if (others.length > 0)
    throw new Conflict(`Multiple security groups found matching '${name}'. Use an ID to be more specific.`)
  if (!group) throw new NotFound('Security group', name)
  return group
}

async function portsOf(trx: Transaction, { id }: Server): Promise<readonly PortWithAddresses[]> {
  return await listPorts(trx, { deviceIds: [id] }, { projectId: '', isAdmin: true })
}

const groupName = z.strictObject({ name: z.string().min(1).max(255) })
const addBody = z.strictObject({ addSecurityGroup: groupName })
const removeBody = z.strictObject({ removeSecurityGroup: groupName })

/** On every port of the server that has port security. */
export const addSecurityGroup: Action = async (call, server) => {
  const { name } = parseBody(addBody, call.body).addSecurityGroup
  await call.db.transaction(async (trx) => {
    const group = await groupOf(trx, name, server)
    for (const port of await portsOf(trx, server)) {
      if (!port.portSecurityEnabled || port.securityGroupIds.includes(group.id)) continue
      await setPortGroups(trx, port.id, [...port.securityGroupIds, group.id])
      await tellGuest(trx, port, { requestId: call.requestId, gone: [] })
    }
  })
  return { status: 202 }
}

export const removeSecurityGroup: Action = async (call, server) => {
  const { name } = parseBody(removeBody, call.body).removeSecurityGroup
  await call.db.transaction(async (trx) => {
    const group = await groupOf(trx, name, server)
    const ports = (await portsOf(trx, server)).filter((port) => port.securityGroupIds.includes(group.id))
    if (ports.length === 0) throw new NotFound('Security group', `${name} of instance ${server.id}`)
    for (const port of ports) {
      await setPortGroups(
        trx,
        port.id,
        port.securityGroupIds.filter((id) => id !== group.id),
      )
      await tellGuest(trx, port, { requestId: call.requestId, gone: [] })
    }
  })
  return { status: 202 }
}
