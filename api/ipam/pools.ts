/** Pools over HTTP. A pool is a network with its subnets, by id or name. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Conflict, Invalid } from '../../core/errors.ts'
import type { Transaction } from '../../db/connect.ts'
import { deleteNetwork, freeVlan, insertNetwork, insertSubnet, setSubnetWatch } from '../../db/networks.ts'
import { firstAddress } from '../../ipam/default-network.ts'
import { getPool, listPools, type Pool, type PoolSubnet } from '../../ipam/pools.ts'
import { changeRanges, createRanges, dropRanges, without, withRange } from '../../ipam/ranges.ts'
import type { Range } from '../../ipam/subnet.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import { address, canonical, checkGateway } from '../network/subnet-body.ts'
import { contains } from '../network/subnet-of.ts'
import type { Call, Reply } from '../route.ts'

const rangeShape = z.strictObject({ first: z.string(), last: z.string() })

const subnetShape = z.strictObject({
  id: z.string(),
  name: z.string(),
  cidr: z.string(),
  gateway: z.string().nullable(),
  ranges: z.array(rangeShape),
  quarantine_seconds: z.number(),
  warn_percent: z.number().describe('from this share of taken addresses on, `level` is warning'),
  arp_probe: z.boolean().describe('whether the wire is asked for an address before its first use'),
  size: z.number().describe('addresses in the ranges; above 2^53 rounded'),
  used: z.number(),
  reserved: z.number(),
  quarantined: z.number(),
  free: z.number(),
  level: z.enum(['ok', 'warning', 'full']),
})
export const poolShape = z.strictObject({
  id: z.string(),
  name: z.string(),
  vlan: z.number().nullable(),
  mtu: z.number(),
  shared: z.boolean(),
  project_id: z.string(),
  subnets: z.array(subnetShape),
})

const rangeWish = z.strictObject({ first: address, last: address })
const seconds = z.int().min(0).max(31_536_000)
const percent = z.int().min(1).max(100)
export const newPool = z.strictObject({
  name: z.string().min(1).max(255),
  cidr: z.string().describe('such as 10.20.0.0/22'),
  vlan: z.int().min(1).max(4094).nullable().optional().describe('none = a free one is taken, null = untagged'),
  mtu: z.int().min(576).max(65_535).default(1500),
  shared: z.boolean().default(true).describe('whether every project may use it'),
  gateway: address.nullable().optional().describe('none = the first address, null = none'),
  ranges: z.array(rangeWish).optional().describe('none = all but network, broadcast and gateway'),
  dns: z.array(address).default([]),
  quarantine_seconds: seconds.default(300),
  warn_percent: percent.default(80),
  arp_probe: z.boolean().default(false).describe('ask the wire for an address before its first use; IPv4 alone'),
})
export const poolChange = z.strictObject({
  subnet: z.string().optional().describe('id or CIDR; none = the only one'),
  quarantine_seconds: seconds.optional(),
  warn_percent: percent.optional(),
  arp_probe: z.boolean().optional(),
})
export const rangeChange = rangeWish

function subnetView(subnet: PoolSubnet): z.output<typeof subnetShape> {
  const { id, name, cidr, gateway, ranges, used, reserved, quarantined, level } = subnet
  return {
    id,
    name,
    cidr,
    gateway,
    ranges: [...ranges],
    quarantine_seconds: subnet.quarantineSeconds,
    warn_percent: subnet.warnPercent,
    arp_probe: subnet.arpProbe,
    size: Number(subnet.size),
    used,
    reserved,
    quarantined,
    free: Number(subnet.free),
    level,
  }
}

function poolView({ id, name, vlan, mtu, shared, projectId, subnets }: Pool): z.output<typeof poolShape> {
  return { id, name, vlan, mtu, shared, project_id: projectId, subnets: subnets.map(subnetView) }
}

export async function poolOf({ db, params }: Call): Promise<Pool> {
  return await getPool(db, params.pool ?? '')
}

/** The subnet that an address lies in. @throws Invalid */
export function subnetAt({ name, subnets }: Pool, address: string): PoolSubnet {
  const found = subnets.find(({ cidr }) => contains(cidr, address))
  if (!found)
    throw new Invalid(
      `address: '${address}' is in no subnet of pool ${name} (${subnets.map(({ cidr }) => cidr).join(', ')})`,
    )
  return found
}

/** The subnet by id or CIDR; without either the first. @throws Invalid */
export function subnetNamed({ name, subnets }: Pool, wanted: string | undefined): PoolSubnet {
  const found = wanted === undefined ? subnets[0] : subnets.find(({ id, cidr }) => id === wanted || cidr === wanted)
  if (!found) throw new Invalid(`subnet: pool ${name} has ${wanted === undefined ? 'none' : `no ${wanted}`}`)
  return found
}

export async function list({ db }: Call): Promise<Reply> {
  return { status: 200, body: { pools: (await listPools(db, null)).map(poolView) } }
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { pool: poolView(await poolOf(call)) } }
}

async function insertPool(trx: Transaction, call: Call, wanted: z.output<typeof newPool>): Promise<string> {
  if (await trx('networks').where({ name: wanted.name }).first('id'))
    throw new Conflict(`name: a pool named ${wanted.name} exists already`)
  const projectId = projectOf(call.caller)
  const network = await insertNetwork(trx, {
    id: randomUUID(),
    projectId,
    name: wanted.name,
    description: '',
    vlan: wanted.vlan === undefined ? await freeVlan(trx) : wanted.vlan,
    mtu: wanted.mtu,
    shared: wanted.shared,
    adminStateUp: true,
  })
  const first = firstAddress(wanted.cidr)
  const cidr = canonical(wanted.cidr)
  const gateway = wanted.gateway === undefined ? first : wanted.gateway
  checkGateway(cidr, gateway)
  const subnet = await insertSubnet(trx, {
    id: randomUUID(),
    networkId: network.id,
    projectId,
    name: `${wanted.name}-subnet`,
    description: '',
    cidr,
    gateway,
    dnsServers: wanted.dns.length > 0 ? wanted.dns : call.config.dnsServers,
    dhcp: true,
    quarantineSeconds: wanted.quarantine_seconds,
  })
  await setSubnetWatch(trx, subnet.id, { warnPercent: wanted.warn_percent, arpProbe: wanted.arp_probe })
  await createRanges(trx, subnet, wanted.ranges ?? null)
  return network.id
}

export async function create(call: Call): Promise<Reply> {
  const wanted = parseBody(newPool, call.body)
  const id = await call.db.transaction((trx) => insertPool(trx, call, wanted))
  return { status: 201, body: { pool: poolView(await getPool(call.db, id)) } }
}

export async function update(call: Call): Promise<Reply> {
  const change = parseBody(poolChange, call.body)
  const { quarantine_seconds: quarantineSeconds, warn_percent: warnPercent, arp_probe: arpProbe } = change
  const pool = await poolOf(call)
  await setSubnetWatch(call.db, subnetNamed(pool, change.subnet).id, {
    ...(quarantineSeconds === undefined ? {} : { quarantineSeconds }),
    ...(warnPercent === undefined ? {} : { warnPercent }),
    ...(arpProbe === undefined ? {} : { arpProbe }),
  })
  return await show(call)
}

export async function remove(call: Call): Promise<Reply> {
  const pool = await poolOf(call)
  await call.db.transaction(async (trx) => {
    for (const { id } of pool.subnets) await dropRanges(trx, id)
    await deleteNetwork(trx, pool.id)
  })
  return { status: 204 }
}

async function changeBy(
  call: Call,
  range: Range,
  change: (ranges: readonly Range[], range: Range) => readonly Range[],
): Promise<Reply> {
  const pool = await poolOf(call)
  const subnet = subnetAt(pool, range.first)
  await call.db.transaction((trx) => changeRanges(trx, subnet, change(subnet.ranges, range)))
  return await show(call)
}

/** More addresses of the subnet are handed out. */
export async function grow(call: Call): Promise<Reply> {
  return await changeBy(call, parseBody(rangeChange, call.body), withRange)
}

/** Addresses that are handed out no more; who has one keeps it. */
export async function exclude(call: Call): Promise<Reply> {
  return await changeBy(call, parseBody(rangeChange, call.body), without)
}
