/** Rows against what hosts and wires really have: each difference, and what mends it. */
import ipaddr from 'ipaddr.js'
import type { Sightings } from '../core/sighting.ts'
import type { HeldAddress } from './sight.ts'
import { contains, type Subnet } from './subnet.ts'

export const driftKinds = [
  'stray',
  'unplugged',
  'wrong-port',
  'missing-address',
  'foreign-address',
  'unknown-port',
  'stranger',
  'duplicate',
  'silent-host',
] as const

/** What makes it as the rows say, or the rows as the wire has it, and harms nobody. */
export type Mend =
  | { readonly kind: 'release'; readonly portId: string; readonly subnetId: string; readonly address: string }
  | { readonly kind: 'rewire'; readonly serverId: string; readonly host: string }
  | { readonly kind: 'reserve'; readonly subnetId: string; readonly address: string; readonly note: string }

/** Where rows and host differ. */
export interface Drift {
  readonly kind: (typeof driftKinds)[number]
  readonly address: string | null
  readonly portId: string | null
  readonly host: string | null
  readonly text: string
  /** null = a person has to decide */
  readonly mend: Mend | null
  /** what `mend` does, or what there is to decide */
  readonly remedy: string
}

/** What one host told; null = its agent did not answer. */
export type Looks = ReadonlyMap<string, Sightings | null>

type Seen = Sightings['ports'][number]

function plain(text: string): string {
  return text.split('/')[0] ?? text
}

function strays(held: readonly HeldAddress[]): readonly Drift[] {
  return held.flatMap(({ address, subnetId, portId, stray, host }) =>
    stray === null || portId === null
      ? []
      : [
          {
            kind: 'stray',
            address,
            portId,
            host,
            text: `held by port ${portId}: ${stray}`,
            mend: { kind: 'release', portId, subnetId, address },
            remedy: 'it is given back',
          } as const,
        ],
  )
}

/** How a port that stands, or does not, differs from its row. */
function portDrift(row: HeldAddress, seen: Seen | undefined): Pick<Drift, 'kind' | 'text'> | null {
  const port = `port ${row.portId ?? ''} of server ${row.serverName ?? ''}`
  if (!seen) return { kind: 'unplugged', text: `${port} is not plugged` }
  if (seen.error !== null) return { kind: 'unplugged', text: `${port}: ${seen.error}` }
  if (seen.mac !== row.mac || seen.vlan !== row.vlan) {
    const [is, should] = [
      `${seen.mac ?? '-'} in VLAN ${seen.vlan ?? '-'}`,
      `${row.mac ?? '-'} in VLAN ${row.vlan ?? '-'}`,
    ]
    return { kind: 'wrong-port', text: `${port} stands as ${is}, and is to be ${should}` }
  }
  if (seen.guest && !seen.guest.addresses.some((one) => plain(one) === row.address))
    return { kind: 'missing-address', text: `${port}: the guest does not have it` }
  return null
}

function ofPorts(held: readonly HeldAddress[], looks: Looks): readonly Drift[] {
  return held.flatMap((row): readonly Drift[] => {
    const { address, portId, host, serverId, isSettled } = row
    const look = host === null ? undefined : looks.get(host)
    if (!isSettled || row.stray !== null || !look || host === null || serverId === null) return []
    const found = portDrift(
      row,
      look.ports.find((seen) => seen.port_id === portId),
    )
    const mend = { kind: 'rewire', serverId, host } as const
    return found ? [{ ...found, address, portId, host, mend, remedy: 'the wires of the server are made anew' }] : []
  })
}

function isPaired({ addressPairs }: HeldAddress, address: string): boolean {
  return addressPairs.some((pair) =>
    contains(
      pair.address.includes('/') ? pair.address : `${pair.address}/${pair.address.includes(':') ? 128 : 32}`,
      address,
    ),
  )
}

/** Addresses of the pool that a guest gave itself, and ports that nobody knows. */
function foreign(held: readonly HeldAddress[], looks: Looks, subnets: readonly Subnet[]): readonly Drift[] {
  return [...looks].flatMap(([host, look]) =>
    (look?.ports ?? []).flatMap((seen): readonly Drift[] => {
      const rows = held.filter(({ portId }) => portId === seen.port_id)
      const [row] = rows
      const common = { portId: seen.port_id, host, mend: null }
      if (!row)
        return [
          {
            ...common,
            kind: 'unknown-port',
            address: null,
            text: `device ${seen.device} stands for a port that holds no address here`,
            remedy: 'the agent of the host unplugs within a minute what no server has',
          },
        ]
      return (seen.guest?.addresses ?? [])
        .map(plain)
        .filter((address) => subnets.some(({ cidr }) => contains(cidr, address)))
        .filter((address) => !rows.some((one) => one.address === address || isPaired(one, address)))
        .map((address) => ({
          ...common,
          kind: 'foreign-address',
          address,
          text: `the guest of server ${row.serverName ?? ''} gave itself this address`,
          remedy:
            'what it sends with it is dropped, unless port security is off: ask its owner, or add an address pair',
        }))
    }),
  )
}

function answersOf(looks: Looks): ReadonlyMap<string, ReadonlySet<string>> {
  const all = new Map<string, Set<string>>()
  for (const look of looks.values())
    for (const { address, macs } of look?.answers ?? [])
      for (const mac of macs) all.set(address, (all.get(address) ?? new Set()).add(mac))
  return all
}

/** Who answers on the wire for an address that is another's, or nobody's. */
function ofWire(held: readonly HeldAddress[], looks: Looks, subnets: readonly Subnet[]): readonly Drift[] {
  return [...answersOf(looks)].flatMap(([address, macs]): readonly Drift[] => {
    const subnet = subnets.find(({ cidr }) => contains(cidr, address))
    const row = held.find((one) => one.address === address)
    const others = [...macs].filter((mac) => mac !== row?.mac)
    const names = others.join(', ')
    const isShared = held.some((one) => isPaired(one, address))
    if (!subnet || subnet.gateway === address || others.length === 0 || row?.state === 'reserved' || isShared) return []
    const common = { address, portId: row?.portId ?? null, host: null }
    if (row)
      return [
        {
          ...common,
          kind: 'duplicate',
          text: `${names} answers for it too; it is of port ${row.portId ?? ''} of server ${row.serverName ?? ''}, ${row.mac ?? ''}`,
          mend: null,
          remedy: 'find that machine by its MAC address, or give the server another address',
        },
      ]
    const mend = { kind: 'reserve', subnetId: subnet.id, address, note: `answered by ${names}` } as const
    const text = `${names} answers for it, and no row has it`
    return [{ ...common, kind: 'stranger', text, mend, remedy: 'it is reserved for nobody, with a note' }]
  })
}

function silent(looks: Looks): readonly Drift[] {
  return [...looks].flatMap(([host, look]): readonly Drift[] =>
    look
      ? []
      : [
          {
            kind: 'silent-host',
            address: null,
            portId: null,
            host,
            text: `the agent of ${host} does not answer: what stands there was not looked at`,
            mend: null,
            remedy: 'berth host show',
          },
        ],
  )
}

function inOrder(one: Drift, other: Drift): number {
  const key = ({ address }: Drift): string =>
    address === null ? '' : Buffer.from(ipaddr.parse(address).toByteArray()).toString('hex').padStart(32, '0')
  return key(one).localeCompare(key(other))
}

/** Every difference, in the order of the addresses. */
export function compare(held: readonly HeldAddress[], looks: Looks, subnets: readonly Subnet[]): readonly Drift[] {
  const found = [
    ...strays(held),
    ...ofPorts(held, looks),
    ...foreign(held, looks, subnets),
    ...ofWire(held, looks, subnets),
    ...silent(looks),
  ]
  return found.toSorted(inOrder)
}
