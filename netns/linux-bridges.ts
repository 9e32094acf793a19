/** Linux bridges, one for each network that has a port on this host. Source: ip-link(8), bridge(8) */
import { execa } from 'execa'
import { messageOf, Unavailable } from '../core/errors.ts'
import type { Segment } from '../core/network.ts'
import { RtNetlink, type Link } from './rtnetlink.ts'

const timeoutMs = 10_000

/** Its frames keep no bridge from larger ones: each port has the MTU of its network. */
const mtu = 9216

export class LinuxBridges {
  readonly owner: string
  readonly netnsPath: string | null
  readonly #turns = new Map<string, Promise<unknown>>()

  /** @param netnsPath the namespace that they stand in; null = the host's own */
  constructor(owner: string, netnsPath: string | null) {
    this.owner = owner
    this.netnsPath = netnsPath
  }

  /** The bridge of a network, 15 characters at most: a VXLAN number has five in base 36. */
  nameOf({ vlan, vni }: Segment): string {
    const rest = vni === undefined || vni === null ? `v${vlan ?? 0}` : `x${vni.toString(36)}`
    return `${this.owner.slice(0, 8)}-${rest}`
  }

  /** The network that a bridge of ours is for, or null. */
  segmentOf(name: string): Segment | null {
    const prefix = `${this.owner.slice(0, 8)}-`
    const [, kind, number = ''] = name.startsWith(prefix)
      ? (/^([vx])([0-9a-z]+)$/.exec(name.slice(prefix.length)) ?? [])
      : []
    if (kind === 'x') return { vlan: null, vni: Number.parseInt(number, 36) }
    return kind === 'v' ? { vlan: Number(number) || null } : null
  }

  /** The name of a device that belongs on a bridge: 'u'plink, 't'unnel, 'm'etadata. */
  companion(kind: 'u' | 't' | 'm', bridge: string): string {
    return `${kind}${bridge.slice(0, bridge.lastIndexOf('-')).slice(0, 7)}${bridge.slice(bridge.lastIndexOf('-'))}`
  }

  /** @returns the bridge, made when it is not there; its own stack has no address and sees no guest */
  async ensure(name: string): Promise<Link> {
    using here = new RtNetlink(this.netnsPath)
    const found = await here.link(name)
    if (found?.isUp === true) return found
    await this.batch('ip', [
      ...(found
        ? []
        : [`link add ${name} mtu ${mtu} type bridge mcast_snooping 0 nf_call_iptables 1 nf_call_ip6tables 1`]),
      `link set ${name} addrgenmode none`,
      `link set ${name} up`,
    ])
    const made = await here.link(name)
    if (!made) throw new Unavailable(`bridge ${name} was not made`)
    return made
  }

  /** A device is a port of the bridge, and up, when this returns. */
  async attach(device: string, bridge: string): Promise<void> {
    await this.inTurn(bridge, async () => {
      const { index } = await this.ensure(bridge)
      using here = new RtNetlink(this.netnsPath)
      const link = await here.link(device)
      if (!link) throw new Unavailable(`${device} is missing`)
      if (link.master !== index) await here.setMaster(link.index, index)
      if (!link.isUp) await here.setUp(link.index)
    })
  }

  /** Ours, with their ports. */
  async list(): Promise<readonly { readonly bridge: Link; readonly ports: readonly Link[] }[]> {
    using here = new RtNetlink(this.netnsPath)
    const links = await here.links()
    return links
      .filter(({ name }) => this.segmentOf(name) !== null)
      .map((bridge) => ({ bridge, ports: links.filter(({ master }) => master === bridge.index) }))
  }

  /** The bridge and these devices of it go, unless it has got other ports meanwhile. @returns whether they went */
  async removeIfIdle(name: string, companions: (port: Link) => boolean): Promise<boolean> {
    return await this.inTurn(name, async () => {
      const found = (await this.list()).find(({ bridge }) => bridge.name === name)
      if (!found || found.ports.some((port) => !companions(port))) return false
      using here = new RtNetlink(this.netnsPath)
      for (const port of found.ports)
        if (port.alias?.startsWith(`${this.owner} `) === true) await here.deleteLink(port.name)
      await here.deleteLink(name)
      return true
    })
  }

  /** Runs lines of `ip`, `tc` or `bridge` in the namespace of the bridges. @throws Unavailable at the first that fails */
  async batch(command: 'ip' | 'tc' | 'bridge', lines: readonly string[]): Promise<void> {
    const inside = this.netnsPath === null ? [] : ['nsenter', `--net=${this.netnsPath}`]
    const [program, ...args] = [...inside, command, '-batch', '-']
    try {
      const input = lines.map((line) => `${line}\n`).join('')
      await execa(program, args, { input, timeout: timeoutMs })
    } catch (error) {
      throw new Unavailable(`${command} did not take ${lines.join('; ')}: ${messageOf(error)}`, { cause: error })
    }
  }

  /** A bridge is not swept while a port comes to it. */
  async inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#turns.get(name) ?? Promise.resolve()).then(work, work)
    this.#turns.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.#turns.get(name) === mine) this.#turns.delete(name)
    }
  }
}
