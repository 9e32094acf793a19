/** The integration bridge: its ports, each change confirmed by ovs-vswitchd before anyone relies on it. */
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { PartSilent, Unavailable } from '../core/errors.ts'
import type { RateLimit } from '../core/network.ts'
import {
  interfaceRow,
  newBridge,
  newPort,
  portRow,
  toBridgePort,
  type BridgePort,
  type Datapath,
  type PortSpec,
} from './bridge-rows.ts'
import { limitOperations, withoutLimit, type Mark } from './limit.ts'
import { Ovsdb, OvsdbRefusal, ovsMap, shapes, type Operation } from './ovsdb.ts'

export type { BridgePort, Datapath, PortSpec } from './bridge-rows.ts'

const pollMs = 1
const bump: Operation = { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] }

interface Change {
  readonly operations: (index: number) => readonly Operation[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Bridge {
  readonly #ovsdb: Ovsdb
  readonly name: string
  /** ovs-vswitchd's control socket, beside the database's */
  readonly controlPath: string
  /** the mark in external_ids that tells our rows from others' */
  readonly owner: string
  /** the namespace that the switch's devices stand in; null = the host's own */
  readonly netnsPath: string | null
  readonly #applyTimeoutMs: number
  #queue: Change[] = []
  #isApplying = false

  /** @param applyTimeoutMs how long ovs-vswitchd may take to apply a change */
  constructor(
    socketPath: string,
    name: string,
    owner: string,
    {
      applyTimeoutMs = 20_000,
      netnsPath = null,
    }: { readonly applyTimeoutMs?: number; readonly netnsPath?: string | null } = {},
  ) {
    this.#ovsdb = new Ovsdb(socketPath)
    this.name = name
    this.controlPath = join(dirname(socketPath), 'vswitchd.ctl')
    this.owner = owner
    this.netnsPath = netnsPath
    this.#applyTimeoutMs = applyTimeoutMs
  }

  close(): void {
    this.#ovsdb.close()
  }

  /**
   * The bridge is there, with this datapath, and lets nothing pass but by its flows. An existing bridge keeps the datapath that it has.
   */
  async ensure(datapath: Datapath): Promise<void> {
    const where = [['name', '==', this.name]]
    const row = z.object({ fail_mode: shapes.optional(z.string()) })
    const [found] = await this.#ovsdb.select('Bridge', where, row, ['fail_mode'])
    if (found?.fail_mode === 'secure') return
    if (found) await this.#apply(() => [{ op: 'update', table: 'Bridge', where, row: { fail_mode: 'secure' } }])
    else await this.#create(datapath)
  }

  async #create(datapath: Datapath): Promise<void> {
    await this.#apply(() => newBridge(this.name, { datapath, owner: this.owner }))
  }

  async datapath(): Promise<Datapath> {
    const [row] = await this.#ovsdb.select(
      'Bridge',
      [['name', '==', this.name]],
      z.object({ datapath_type: z.string() }),
      ['datapath_type'],
    )
    return row?.datapath_type === 'netdev' ? 'netdev' : 'system'
  }

  /** Our ports, as the database has them and as ovs-vswitchd sees them. */
  async ports(): Promise<readonly BridgePort[]> {
    const [ports, interfaces] = await Promise.all([
      this.#ovsdb.select('Port', [['external_ids', 'includes', ovsMap({ owner: this.owner })]], portRow, [
        '_uuid',
        'name',
        'tag',
        'external_ids',
      ]),
      this.#ovsdb.select('Interface', [], interfaceRow, ['name', 'ofport', 'error', 'external_ids']),
    ])
    const byName = new Map(interfaces.map((row) => [row.name, row]))
    return ports.map((port) => toBridgePort(port, byName.get(port.name)))
  }

  /** The OpenFlow numbers of all devices that have one, ours and others'. */
  async numbers(): Promise<ReadonlyMap<string, number>> {
    const row = z.object({ name: z.string(), ofport: shapes.optional(z.number()) })
    const found = await this.#ovsdb.select('Interface', [], row, ['name', 'ofport'])
    return new Map(found.flatMap(({ name, ofport }) => (ofport === null ? [] : [[name, ofport] as const])))
  }

  /** One of our ports, or null. */
  async port(device: string): Promise<BridgePort | null> {
    const where = [['name', '==', device]]
    const [[port], [seen]] = await Promise.all([
      this.#ovsdb.select('Port', where, portRow, ['_uuid', 'name', 'tag', 'external_ids']),
      this.#ovsdb.select('Interface', where, interfaceRow, ['name', 'ofport', 'error', 'external_ids']),
    ])
    if (!port) return null
    if (port.external_ids.owner !== this.owner)
      throw new Unavailable(`Open vSwitch port ${device} exists and is not ours`)
    return toBridgePort(port, seen)
  }

  /** Adds a port that is not there. Frames pass when this returns. @returns its OpenFlow number */
  async add(spec: PortSpec): Promise<number> {
    const { device, limit = null } = spec
    const mark = this.#markOf(device)
    await this.#apply((index) => [
      ...newPort(spec, { bridge: this.name, owner: this.owner, index }),
      ...withoutLimit(device, mark),
      ...(limit === null ? [] : limitOperations(limit, { device, mark, index, isThere: false })),
    ])
    const added = await this.port(device)
    if (added?.error === null && added.ofport !== null && added.ofport > 0) return added.ofport
    await this.remove(device)
    throw new Unavailable(`Open vSwitch did not take ${device}: ${added?.error ?? 'no OpenFlow port'}`)
  }

  /** Removes one of our ports; a missing one counts as removed. */
  async remove(device: string): Promise<void> {
    const port = await this.port(device)
    if (!port) return
    await this.#apply(() => [
      {
        op: 'mutate',
        table: 'Bridge',
        where: [['name', '==', this.name]],
        mutations: [['ports', 'delete', ['uuid', port.uuid]]],
      },
      ...withoutLimit(device, this.#markOf(device)),
    ])
  }

  /** ovs-vswitchd answers. @throws PartSilent when it does not apply a change of nothing in time */
  async confirm(): Promise<void> {
    await this.#apply(() => [])
  }

  /** The port sends no more than this to its device; null = no limit. What was said before is forgotten. */
  async setLimit(device: string, limit: RateLimit | null): Promise<void> {
    const mark = this.#markOf(device)
    const found = await this.#ovsdb.select('QoS', [mark], z.object({ _uuid: shapes.uuid }), ['_uuid'])
    if (limit === null && found.length === 0) return
    await this.#apply((index) =>
      limit === null
        ? withoutLimit(device, mark)
        : limitOperations(limit, { device, mark, index, isThere: found.length > 0 }),
    )
  }

  /** Devices of our limits, whether a port has them or not. */
  async limited(): Promise<readonly string[]> {
    const ours = [['external_ids', 'includes', ovsMap({ owner: this.owner })]]
    const row = z.object({ external_ids: shapes.map })
    const tables = ['QoS', 'Queue'].map((table) => this.#ovsdb.select(table, ours, row, ['external_ids']))
    return [...new Set((await Promise.all(tables)).flat().map(({ external_ids }) => external_ids.device ?? ''))]
  }

  #markOf(device: string): Mark {
    return ['external_ids', 'includes', ovsMap({ owner: this.owner, device })]
  }

  /** The bridge and all of its ports go. */
  async destroy(): Promise<void> {
    const [row] = await this.#ovsdb.select('Bridge', [['name', '==', this.name]], z.object({ _uuid: shapes.uuid }), [
      '_uuid',
    ])
    if (!row) return
    await this.#apply(() => [
      { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'delete', ['uuid', row._uuid]]] },
    ])
  }

  /** A reconfiguration of ovs-vswitchd takes longer the more ports there are: what waits meanwhile goes in one transaction. */
  async #apply(operations: (index: number) => readonly Operation[]): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ operations, resolve, reject })
      void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    if (this.#isApplying) return
    this.#isApplying = true
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue
        this.#queue = []
        await this.#commit(batch)
      }
    } finally {
      this.#isApplying = false
    }
  }

  async #commit(batch: readonly Change[]): Promise<void> {
    try {
      await this.#applied(await this.#transact(batch.flatMap(({ operations }, index) => operations(index))))
      for (const change of batch) change.resolve()
    } catch (error) {
      // One refused change spoils the transaction of all: each then goes alone, and only the bad one fails.
      if (batch.length > 1 && error instanceof OvsdbRefusal) for (const change of batch) await this.#commit([change])
      else for (const change of batch) change.reject(error)
    }
  }

  /** @returns the number of the configuration that has the change in it */
  async #transact(operations: readonly Operation[]): Promise<number> {
    const answer = await this.#ovsdb.transact([
      ...operations,
      bump,
      { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] },
    ])
    return z.object({ next_cfg: z.number() }).parse(answer[operations.length + 1]?.rows?.[0]).next_cfg
  }

  /** Returns when ovs-vswitchd works with that configuration or a later one. */
  async #applied(wanted: number): Promise<void> {
    const deadline = performance.now() + this.#applyTimeoutMs
    while (performance.now() < deadline) {
      const [row] = await this.#ovsdb.select('Open_vSwitch', [], z.object({ cur_cfg: z.number() }), ['cur_cfg'])
      if (row && row.cur_cfg >= wanted) return
      await sleep(pollMs)
    }
    throw new PartSilent(`ovs-vswitchd did not apply a change within ${this.#applyTimeoutMs / 1000} s: is it running?`)
  }
}
