/** The contracts of every facade. */
import { z } from 'zod'
import { operations } from '../../../api/ipam/operations.ts'
import { berth } from './berth.ts'
import { actions } from './compute/actions.ts'
import { flavors, keypairs, quotas } from './compute/flavors.ts'
import { hostContracts } from './compute/hosts.ts'
import { imageProxies, networkProxies, usage, versions } from './compute/others.ts'
import { servers } from './compute/servers.ts'
import type { Contract, Contracts } from './contract.ts'
import { faultOf } from './faults.ts'
import { identity } from './identity.ts'
import { images } from './image.ts'
import { networks } from './network.ts'
import { placement } from './placement.ts'
import { nothing } from './shape.ts'

/** The administration of pools tells its own schemas, to everybody who asks: it must keep to them. */
const ipam: Contracts = Object.fromEntries([
  ['GET /ipam/v1', { gives: { 200: z.unknown() }, isRaw: true }],
  ['GET /ipam/v1/openapi.json', { gives: { 200: z.looseObject({ openapi: z.literal('3.1.0') }) } }],
  ...operations.map(({ method, path, body, status, reply, findings }): [string, Contract] => [
    `${method.toUpperCase()} /ipam${path}`,
    {
      ...(body ? { takes: body } : {}),
      gives: { [status]: reply ?? nothing, ...(findings ? { 400: z.union([findings, faultOf('ipam', 400)]) } : {}) },
    },
  ]),
])

export const contracts: Contracts = {
  ...versions,
  ...servers,
  ...actions,
  ...flavors,
  ...keypairs,
  ...quotas,
  ...hostContracts,
  ...usage,
  ...imageProxies,
  ...networkProxies,
  ...identity,
  ...images,
  ...networks,
  ...ipam,
  ...berth,
  ...placement,
}
