/** Single addresses: reserved, released, found, drawn, carried in and out. */
import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'
import { find as findHoldings, heldIn, type Holding } from '../../ipam/find.ts'
import { importAddresses } from '../../ipam/import.ts'
import { mapOf } from '../../ipam/map.ts'
import { free, moveReservation, reserve as hold, unassign } from '../../ipam/reserve.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { poolOf, subnetAt, subnetNamed } from './pools.ts'

export const holdingShape = z.strictObject({
  address: z.string(),
  pool: z.string(),
  pool_id: z.string(),
  subnet_id: z.string(),
  state: z.enum(['used', 'reserved', 'quarantined', 'past']),
  mac: z.string().nullable(),
  port_id: z.string().nullable(),
  server_id: z.string().nullable(),
  name: z.string().nullable(),
  reserved_for: z.string().nullable(),
  note: z.string(),
  host: z.string().nullable(),
  since: z.string(),
  until: z.string().nullable(),
})
export const newReservation = z.strictObject({
  address: z.string().optional().describe('none = the next free one'),
  subnet: z.string().optional().describe('id or CIDR to take the next of; none = the first'),
  name: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('the server of this name gets the address, each time it is made'),
  note: z.string().max(255).default(''),
})
export const reservationMove = z.strictObject({ name: z.string().min(1).max(255).nullable() })
export const csvShape = z.strictObject({ csv: z.string().describe('header address,name,note') })
export const blockShape = z.strictObject({
  first: z.string(),
  size: z.number(),
  used: z.number(),
  reserved: z.number(),
  quarantined: z.number(),
})

function holdingView(holding: Holding): z.output<typeof holdingShape> {
  const { address, state, mac, name, note, host } = holding
  return {
    address,
    pool: holding.networkName,
    pool_id: holding.networkId,
    subnet_id: holding.subnetId,
    state,
    mac,
    port_id: holding.portId,
    server_id: holding.serverId,
    name,
    reserved_for: holding.reservedFor,
    note,
    host,
    since: holding.since.toISOString(),
    until: holding.until?.toISOString() ?? null,
  }
}

async function replyWith(call: Call, status: number, address: string): Promise<Reply> {
  const [holding] = await findHoldings(call.db, { address })
  return { status, body: { address: holding ? holdingView(holding) : null } }
}

export async function reserve(call: Call): Promise<Reply> {
  const wanted = parseBody(newReservation, call.body)
  const pool = await poolOf(call)
  const { address, name, note } = wanted
  const subnet = address === undefined ? subnetNamed(pool, wanted.subnet) : subnetAt(pool, address)
  const held = await call.db.transaction((trx) =>
    hold(trx, subnet, { address: address ?? null, name: name ?? null, note }),
  )
  return await replyWith(call, 201, held)
}

export async function move(call: Call): Promise<Reply> {
  const { name } = parseBody(reservationMove, call.body)
  const address = call.params.address ?? ''
  const subnet = subnetAt(await poolOf(call), address)
  await call.db.transaction((trx) => moveReservation(trx, subnet, { address, name }))
  return await replyWith(call, 200, address)
}

/** Freed for good; with `keep_reservation` it is only taken off its port. */
export async function release(call: Call): Promise<Reply> {
  const address = call.params.address ?? ''
  const subnet = subnetAt(await poolOf(call), address)
  const isKept = ['1', 'true', 'yes'].includes(call.query.get('keep_reservation') ?? '')
  await call.db.transaction((trx) => (isKept ? unassign(trx, subnet, address) : free(trx, subnet, address)))
  return { status: 204 }
}

export async function list(call: Call): Promise<Reply> {
  const pool = await poolOf(call)
  const holdings = await heldIn(
    call.db,
    pool.subnets.map(({ id }) => id),
  )
  return { status: 200, body: { addresses: holdings.map(holdingView) } }
}

const macForm = /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i

/** By address, MAC, name or server: the present holder first, then those before. */
export async function find({ db, query }: Call): Promise<Reply> {
  const clues = ['address', 'mac', 'name', 'server_id'].filter((clue) => query.get(clue))
  if (clues.length === 0) throw new Invalid('One of address, mac, name and server_id is needed.')
  const [address, mac, name, serverId] = ['address', 'mac', 'name', 'server_id'].map(
    (clue) => query.get(clue) ?? undefined,
  )
  if (address !== undefined && !z.union([z.ipv4(), z.ipv6()]).safeParse(address).success)
    throw new Invalid(`address: '${address}' is not an IP address`)
  if (mac !== undefined && !macForm.test(mac)) throw new Invalid(`mac: '${mac}' is not a MAC address`)
  if (serverId !== undefined && !isUuid(serverId)) throw new Invalid(`server_id: '${serverId}' is not a UUID`)
  return {
    status: 200,
    body: { addresses: (await findHoldings(db, { address, mac, name, serverId })).map(holdingView) },
  }
}

export async function draw(call: Call): Promise<Reply> {
  const subnet = subnetNamed(await poolOf(call), call.query.get('subnet') ?? undefined)
  return { status: 200, body: { cidr: subnet.cidr, blocks: await mapOf(call.db, subnet.id, subnet.cidr) } }
}

/** Carries the verdict of a dry run, or of a file with a bad line, out of a transaction that must not commit. */
class Undone extends Error {
  readonly verdict: Awaited<ReturnType<typeof importAddresses>>

  constructor(verdict: Undone['verdict']) {
    super('rolled back')
    this.verdict = verdict
  }
}

export async function carryIn(call: Call): Promise<Reply> {
  const { csv } = parseBody(csvShape, call.body)
  const pool = await poolOf(call)
  const isDry = ['1', 'true', 'yes'].includes(call.query.get('dry_run') ?? '')
  try {
    const verdict = await call.db.transaction(async (trx) => {
      const found = await importAddresses(trx, pool.subnets, csv)
      if (isDry || found.bad.length > 0) throw new Undone(found)
      return found
    })
    return { status: 200, body: { ...verdict, dry_run: false } }
  } catch (error) {
    if (!(error instanceof Undone)) throw error
    const { bad } = error.verdict
    return { status: bad.length > 0 ? 400 : 200, body: { ...error.verdict, dry_run: isDry } }
  }
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export async function carryOut(call: Call): Promise<Reply> {
  const pool = await poolOf(call)
  const holdings = await heldIn(
    call.db,
    pool.subnets.map(({ id }) => id),
  )
  const lines = holdings.map(({ address, name, note, state, mac }) =>
    [address, name ?? '', note, state, mac ?? ''].map(quoted).join(','),
  )
  return { status: 200, body: { csv: `${['address,name,note,state,mac', ...lines].join('\n')}\n` } }
}
