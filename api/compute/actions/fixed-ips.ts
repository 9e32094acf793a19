/** More addresses, and fewer, on the ports that a server has. Clients use interfaces instead since 2.44. */
import { z } from 'zod'
import { Invalid, SubnetFull } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { listSubnets } from '../../../db/networks.ts'
import { listPorts, type PortWithAddresses } from '../../../db/ports.ts'
import { parseBody } from '../../body.ts'
import { HttpFault } from '../../faults.ts'
import { changeAddresses, tellGuest } from '../../network/change-port.ts'
import type { Call } from '../../route.ts'
import { refuseIfLocked } from '../servers/change.ts'
import type { Action } from './action.ts'

const everything = { projectId: '', isAdmin: true } as const

/** @throws HttpFault at the microversions that have it no more */
function checkVersion({ version }: Call): void {
  if (version >= 44) throw new HttpFault(404, 'The resource could not be found.')
}

async function portsOf(trx: Transaction, { id }: Server): Promise<readonly PortWithAddresses[]> {
  const ports = await listPorts(trx, { deviceIds: [id] }, everything)
  return ports.toSorted((one, other) => (one.position ?? 0) - (other.position ?? 0))
}

const addBody = z.strictObject({
  addFixedIp: z.strictObject({ networkId: z.union([z.string().min(1), z.int()]).transform(String) }),
})

/** One more address of the network, on the first port there, of the first subnet that has one. @throws Invalid */
async function addTo(trx: Transaction, port: PortWithAddresses): Promise<void> {
  const subnets = await listSubnets(trx, { networkIds: [port.networkId] }, everything)
  for (const subnet of subnets) {
    try {
      await changeAddresses(trx, port, [...port.fixedIps, { subnetId: subnet.id }])
      return
    } catch (error) {
      if (!(error instanceof SubnetFull) || subnet === subnets.at(-1)) throw error
    }
  }
  throw new Invalid(`Network ${port.networkId} has no subnet.`)
}

export const addFixedIp: Action = async (call, server) => {
  checkVersion(call)
  const { networkId } = parseBody(addBody, call.body).addFixedIp
  refuseIfLocked(call, server)
  await call.db.transaction(async (trx) => {
    const port = (await portsOf(trx, server)).find((one) => one.networkId === networkId)
    if (!port) throw new Invalid(`Network ${networkId} is not one of instance ${server.id}.`)
    await addTo(trx, port)
    await tellGuest(trx, port, { requestId: call.requestId, gone: [] })
  })
  return { status: 202 }
}

const removeBody = z.strictObject({
  removeFixedIp: z.strictObject({ address: z.union([z.ipv4(), z.ipv6()]) }),
})

export const removeFixedIp: Action = async (call, server) => {
  checkVersion(call)
  const { address } = parseBody(removeBody, call.body).removeFixedIp
  refuseIfLocked(call, server)
  await call.db.transaction(async (trx) => {
    const holds = (one: PortWithAddresses): boolean => one.fixedIps.some((fixed) => fixed.address === address)
    const port = (await portsOf(trx, server)).find(holds)
    if (!port) throw new Invalid(`Fixed IP ${address} could not be found on instance ${server.id}.`)
    const kept = port.fixedIps.filter((fixed) => fixed.address !== address)
    const gone = await changeAddresses(trx, port, kept)
    await tellGuest(trx, port, { requestId: call.requestId, gone })
  })
  return { status: 202 }
}
