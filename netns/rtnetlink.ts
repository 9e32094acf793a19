/** Links, addresses and routes over rtnetlink. The one importer of `netlink`, whose errors are text: it is read here alone. */
import ipaddr from 'ipaddr.js'
import netlink, { type ifla as IflaTypes, type RtNetlinkSocket } from 'netlink'
import { Conflict, messageOf, Unavailable } from '../core/errors.ts'
import type { VifAddress } from '../core/network.ts'
import { withNamespace } from './namespace.ts'

const { AttrStream, FlagsNew, createRtNetlink, ifla } = netlink

/** Milliseconds that the kernel may take to answer one request. */
const timeout = 20_000
const afInet = 2
const afInet6 = 10
const mainTable = 254
const loopback = 1
/** linux/if_link.h and linux/veth.h */
const iflaInfoKind = 1
const iflaInfoData = 2
const ifInfoMsgBytes = 16
/** linux/if.h, IF_OPER_UP */
const operationallyUp = 6

/** A network device as the kernel has it. */
export interface Link {
  readonly index: number
  readonly name: string
  readonly mac: string
  readonly mtu: number
  /** whether it was told to be up */
  readonly isUp: boolean
  /** whether frames pass: a moment after it, and what it leads to, are up. Source: RFC 2863, ifOperStatus */
  readonly isOperational: boolean
  /** of a veth: the index of its other end, in that end's namespace; else null */
  readonly peerIndex: number | null
  /** a text that the maker left on it, or null */
  readonly alias: string | null
  /** index of the bridge that it is a port of, or null */
  readonly master: number | null
  /** the kind of its root queueing discipline */
  readonly qdisc: string
}

/** A veth pair that is to be made. */
export interface VethEnds {
  readonly host: string
  readonly guest: string
  readonly guestMac: string
  readonly mtu: number
  /** whether the host's end is up at once; unless told: it is */
  readonly isUp?: boolean
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

function addressBytes(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray())
}

/** As the kernel writes it, such as '10.0.0.4/24' or 'fd00::4/64'. */
export function addressText({ address, prefixLength }: Pick<VifAddress, 'address' | 'prefixLength'>): string {
  return `${ipaddr.parse(address).toString()}/${prefixLength}`
}

function familyOf(address: string): number {
  return address.includes(':') ? afInet6 : afInet
}

/** The kernel's word for what went wrong, such as 'EEXIST', or null. */
function errnoOf(error: unknown): string | null {
  return /Request rejected: (\w+)/.exec(messageOf(error))?.[1] ?? null
}

async function request<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST') throw new Conflict(`${what}: exists already`, { cause: error })
    throw new Unavailable(`${what}: ${errno ?? messageOf(error)}`, { cause: error })
  }
}

function vethLinkInfo(peer: IflaTypes.LinkAttrs): Buffer {
  const peerInfo = new AttrStream()
  peerInfo.emit(Buffer.alloc(ifInfoMsgBytes))
  peerInfo.emit(ifla.formatLinkAttrs(peer))
  const info = new AttrStream()
  info.emit((out) => {
    out.push(iflaInfoKind, Buffer.from('veth\0'))
    out.push(iflaInfoData, ifla.formatVethInfo({ peer: Buffer.concat(peerInfo.bufs) }))
  })
  return Buffer.concat(info.bufs)
}

/** One socket in one namespace. A dump must not overlap another on the same socket, so requests go one after the other. */
export class RtNetlink implements Disposable {
  readonly #socket: RtNetlinkSocket

  /** @param netnsPath the namespace that the socket lives in; null = the host's */
  constructor(netnsPath: string | null) {
    this.#socket = netnsPath === null ? createRtNetlink() : withNamespace(netnsPath, () => createRtNetlink())
  }

  [Symbol.dispose](): void {
    this.#socket.socket.close()
  }

  /** null when there is no link of that name */
  async link(name: string): Promise<Link | null> {
    try {
      const [found] = await this.#socket.getLink({}, { ifname: name }, { timeout })
      return found ? toLink(found) : null
    } catch (error) {
      if (errnoOf(error) === 'ENODEV') return null
      throw new Unavailable(`link ${name}: ${messageOf(error)}`, { cause: error })
    }
  }

  async links(): Promise<readonly Link[]> {
    return (await request('links', this.#socket.getLinks({}, {}, { timeout }))).map(toLink)
  }

  /** Makes a veth pair: the host's end here; the guest's end, with its MAC, in its namespace, down. @throws Conflict when one exists */
  async createVeth({ host, guest, guestMac, mtu, isUp = true }: VethEnds, netnsFd: number): Promise<void> {
    const linkinfo = vethLinkInfo({ ifname: guest, mtu, address: macBytes(guestMac), netNsFd: netnsFd })
    const state = isUp ? ({ flags: { up: true }, change: { up: true } } as const) : {}
    const flags = FlagsNew.CREATE | FlagsNew.EXCL
    await request(`veth ${host}`, this.#socket.newLink(state, { ifname: host, mtu, linkinfo }, { flags, timeout }))
  }

  /** Deletes a link; a missing one counts as deleted. */
  async deleteLink(name: string): Promise<void> {
    const found = await this.link(name)
    if (!found) return
    try {
      await this.#socket.delLink({ index: found.index }, {}, { timeout })
    } catch (error) {
      if (errnoOf(error) !== 'ENODEV') throw new Unavailable(`link ${name}: ${messageOf(error)}`, { cause: error })
    }
  }

  async setUp(index: number): Promise<void> {
    await request(
      `link ${index} up`,
      this.#socket.setLink({ index, flags: { up: true }, change: { up: true } }, {}, { timeout }),
    )
  }

  async setMtu(index: number, mtu: number): Promise<void> {
    await request(`link ${index} mtu`, this.#socket.setLink({ index }, { mtu }, { timeout }))
  }

  async setMac(index: number, mac: string): Promise<void> {
    await request(`link ${index} address`, this.#socket.setLink({ index }, { address: macBytes(mac) }, { timeout }))
  }

  /** A device becomes a port of a Linux bridge. */
  async setMaster(index: number, master: number): Promise<void> {
    await request(`link ${index} master`, this.#socket.setLink({ index }, { master }, { timeout }))
  }

  /** The kernel does not take an alias with a new link: it is set afterwards. */
  async setAlias(name: string, alias: string): Promise<void> {
    await request(`link ${name} alias`, this.#socket.setLink({}, { ifname: name, ifalias: alias }, { timeout }))
  }

  async loopbackUp(): Promise<void> {
    await this.setUp(loopback)
  }

  /** An address that is there already is left as it is. */
  async addAddress(
    index: number,
    { address, prefixLength }: Pick<VifAddress, 'address' | 'prefixLength'>,
  ): Promise<void> {
    const bytes = addressBytes(address)
    const head = {
      family: familyOf(address),
      prefixlen: prefixLength,
      scope: 0,
      index,
      flags: { nodad: true },
    } as const
    const flags = FlagsNew.CREATE | FlagsNew.REPLACE
    await request(
      `address ${address}`,
      this.#socket.newAddress(head, { local: bytes, address: bytes }, { flags, timeout }),
    )
  }

  /** Takes away an address, given in text such as '10.0.0.4/24'; a missing one counts as taken away. */
  async removeAddress(index: number, text: string): Promise<void> {
    const [address = '', prefixLength] = text.split('/')
    const bytes = addressBytes(address)
    const head = { family: familyOf(address), prefixlen: Number(prefixLength), index }
    try {
      await this.#socket.delAddress(head, { local: bytes, address: bytes }, { timeout })
    } catch (error) {
      if (errnoOf(error) === 'EADDRNOTAVAIL') return
      throw new Unavailable(`address ${text}: ${messageOf(error)}`, { cause: error })
    }
  }

  /** Addresses in text, such as '10.0.0.4/24', of one link or of all. */
  async addresses(index?: number): Promise<readonly { readonly index: number; readonly text: string }[]> {
    const rows = await request('addresses', this.#socket.getAddresses({}, {}, { timeout }))
    return rows.flatMap(({ data, attrs }) => {
      const bytes = attrs.local ?? attrs.address
      if (bytes === undefined || data.index === undefined || (index !== undefined && data.index !== index)) return []
      return [{ index: data.index, text: `${ipaddr.fromByteArray([...bytes]).toString()}/${String(data.prefixlen)}` }]
    })
  }

  /** A network is reached on this link: through a gateway, or at once. */
  async addLinkRoute(
    index: number,
    { destination, gateway }: { destination: string; gateway?: string },
  ): Promise<void> {
    const [address = '', prefixLength] = destination.split('/')
    const head = {
      family: familyOf(address),
      dstLen: Number(prefixLength),
      table: mainTable,
      protocol: 'STATIC',
      scope: gateway === undefined ? 'LINK' : 'UNIVERSE',
      type: 'UNICAST',
    } as const
    const flags = FlagsNew.CREATE | FlagsNew.REPLACE
    const through = gateway === undefined ? {} : { gateway: addressBytes(gateway) }
    const attrs = { dst: addressBytes(address), oif: index, ...through }
    await request(`route to ${destination}`, this.#socket.newRoute(head, attrs, { flags, timeout }))
  }

  /** The default route of the gateway's family goes through this link. */
  async addDefaultRoute(index: number, gateway: string): Promise<void> {
    const head = {
      family: familyOf(gateway),
      dstLen: 0,
      table: mainTable,
      protocol: 'STATIC',
      scope: 'UNIVERSE',
      type: 'UNICAST',
    } as const
    const flags = FlagsNew.CREATE | FlagsNew.REPLACE
    const attrs = { gateway: addressBytes(gateway), oif: index }
    await request(`route via ${gateway}`, this.#socket.newRoute(head, attrs, { flags, timeout }))
  }
}

function toLink({ data, attrs }: Awaited<ReturnType<RtNetlinkSocket['getLinks']>>[number]): Link {
  return {
    index: data.index ?? 0,
    name: attrs.ifname ?? '',
    mac: attrs.address === undefined ? '' : (attrs.address.toString('hex').match(/../g) ?? []).join(':'),
    mtu: attrs.mtu ?? 0,
    isUp: data.flags?.up === true,
    isOperational: attrs.operstate === operationallyUp,
    peerIndex: attrs.link === undefined ? null : attrs.link.readUInt32LE(),
    alias: attrs.ifalias ?? null,
    master: attrs.master ?? null,
    qdisc: attrs.qdisc ?? '',
  }
}
