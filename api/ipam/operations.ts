/** Every operation of the pool administration: what it takes and gives stands here once, for the routes and for the document. */
import { z } from 'zod'
import type { Call, Reply } from '../route.ts'
import * as addresses from './addresses.ts'
import * as audits from './audit.ts'
import * as groups from './groups.ts'
import * as pools from './pools.ts'
import * as usages from './usage.ts'

/** One operation, for its route and its page of the document. */
export interface Operation {
  readonly method: 'get' | 'post' | 'patch' | 'delete'
  /** under /ipam, parameters as express has them */
  readonly path: string
  readonly summary: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: z.ZodType
  readonly status: number
  /** none = a reply without a body */
  readonly reply?: z.ZodType
  /** of a 400, where it is more than a fault: what was found wrong, line by line */
  readonly findings?: z.ZodType
  readonly run: (call: Call) => Promise<Reply>
}

const onePool = z.strictObject({ pool: pools.poolShape })
const oneGroup = z.strictObject({ group: groups.groupShape })
const oneAddress = z.strictObject({ address: addresses.holdingShape })
const manyAddresses = z.strictObject({ addresses: z.array(addresses.holdingShape) })
const verdict = z.strictObject({
  imported: z.number(),
  bad: z.array(z.strictObject({ line: z.number(), address: z.string(), reason: z.string() })),
  dry_run: z.boolean(),
})

const ofPools: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/pools',
    summary: 'All pools with their usage',
    status: 200,
    reply: z.strictObject({ pools: z.array(pools.poolShape) }),
    run: pools.list,
  },
  {
    method: 'post',
    path: '/v1/pools',
    summary: 'Make a pool: a network with one subnet and its ranges',
    body: pools.newPool,
    status: 201,
    reply: onePool,
    run: pools.create,
  },
  { method: 'get', path: '/v1/pools/:pool', summary: 'One pool', status: 200, reply: onePool, run: pools.show },
  {
    method: 'patch',
    path: '/v1/pools/:pool',
    summary: 'Change quarantine, warn level, and whether new addresses are asked for on the wire',
    body: pools.poolChange,
    status: 200,
    reply: onePool,
    run: pools.update,
  },
  { method: 'delete', path: '/v1/pools/:pool', summary: 'Delete a pool without ports', status: 204, run: pools.remove },
  {
    method: 'post',
    path: '/v1/pools/:pool/grow',
    summary: 'Hand out these addresses too',
    body: pools.rangeChange,
    status: 200,
    reply: onePool,
    run: pools.grow,
  },
  {
    method: 'post',
    path: '/v1/pools/:pool/exclude',
    summary: 'Hand these addresses out no more; who has one keeps it',
    body: pools.rangeChange,
    status: 200,
    reply: onePool,
    run: pools.exclude,
  },
]

const usage = z.strictObject({ usage: z.array(usages.usageShape) })
const oneAudit = z.strictObject({ audit: audits.auditShape })
const daysBack = { days: 'how far to look back; none = 7' }
const probing = { probe: 'false = the wire is not asked who has which address' }

const looks: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/usage',
    summary: 'How full all pools are, and how fast they fill',
    query: daysBack,
    status: 200,
    reply: usage,
    run: usages.ofAll,
  },
  {
    method: 'get',
    path: '/v1/pools/:pool/usage',
    summary: 'How full a pool is, and how fast it fills',
    query: daysBack,
    status: 200,
    reply: usage,
    run: usages.ofOne,
  },
  {
    method: 'get',
    path: '/v1/pools/:pool/audit',
    summary: 'Its rows against what its guests and its wire really have',
    query: probing,
    status: 200,
    reply: oneAudit,
    run: audits.audit,
  },
  {
    method: 'post',
    path: '/v1/pools/:pool/audit',
    summary: 'The same, and mend what can be mended without harm',
    query: probing,
    status: 200,
    reply: oneAudit,
    run: audits.repair,
  },
]

const ofAddresses: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/pools/:pool/addresses',
    summary: 'Every address of a pool that is used or reserved',
    status: 200,
    reply: manyAddresses,
    run: addresses.list,
  },
  {
    method: 'post',
    path: '/v1/pools/:pool/reservations',
    summary: 'Reserve an address, the next or a named one, for the server of a name or for nobody',
    body: addresses.newReservation,
    status: 201,
    reply: oneAddress,
    run: addresses.reserve,
  },
  {
    method: 'patch',
    path: '/v1/pools/:pool/reservations/:address',
    summary: 'Move a reservation to another name',
    body: addresses.reservationMove,
    status: 200,
    reply: oneAddress,
    run: addresses.move,
  },
  {
    method: 'delete',
    path: '/v1/pools/:pool/addresses/:address',
    summary: 'Free an address and its reservation, or only unassign it',
    query: { keep_reservation: 'true = unassign: the reservation stays' },
    status: 204,
    run: addresses.release,
  },
  {
    method: 'get',
    path: '/v1/pools/:pool/map',
    summary: 'The addresses of a subnet in order, in 1,024 blocks at most',
    query: { subnet: 'id or CIDR; none = the first' },
    status: 200,
    reply: z.strictObject({ cidr: z.string(), blocks: z.array(addresses.blockShape) }),
    run: addresses.draw,
  },
  {
    method: 'post',
    path: '/v1/pools/:pool/import',
    summary: 'Reserve the addresses of a CSV: all of them, or none when a line is bad',
    query: { dry_run: 'true = only say what would be' },
    body: addresses.csvShape,
    status: 200,
    reply: verdict,
    findings: verdict,
    run: addresses.carryIn,
  },
  {
    method: 'get',
    path: '/v1/pools/:pool/export',
    summary: 'The used and reserved addresses as CSV',
    status: 200,
    reply: addresses.csvShape,
    run: addresses.carryOut,
  },
  {
    method: 'get',
    path: '/v1/addresses',
    summary: 'Who holds an address, and who held it before',
    query: {
      address: 'an IP address',
      mac: 'a MAC address',
      name: 'of a server, a port or a reservation',
      server_id: 'of a server, deleted ones too',
    },
    status: 200,
    reply: manyAddresses,
    run: addresses.find,
  },
]

const ofGroups: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/groups',
    summary: 'All pool groups',
    status: 200,
    reply: z.strictObject({ groups: z.array(groups.groupShape) }),
    run: groups.list,
  },
  {
    method: 'post',
    path: '/v1/groups',
    summary: 'Make a pool group; a server made with its id as network gets an address of the first pool that has one',
    body: groups.newGroup,
    status: 201,
    reply: oneGroup,
    run: groups.create,
  },
  {
    method: 'get',
    path: '/v1/groups/:group',
    summary: 'One pool group',
    status: 200,
    reply: oneGroup,
    run: groups.show,
  },
  { method: 'delete', path: '/v1/groups/:group', summary: 'Delete a pool group', status: 204, run: groups.remove },
]

export const operations: readonly Operation[] = [...ofPools, ...looks, ...ofAddresses, ...ofGroups]
