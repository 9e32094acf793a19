/** What every vif type promises, told by the kernel and by packets. Apply it in the type's own test file. */
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { z } from 'zod'
import { hostDevice, type Vif } from '../../core/network.ts'
import { ensureNamespace, removeNamespace, listNamespaces } from '../../netns/namespace.ts'
import type { VifType } from '../../netns/vifs/vif-type.ts'
import { inNamespace, pings } from '../netns/host.ts'

export interface VifSite<D> {
  readonly details: D
  /** an empty directory for the guests' namespaces */
  readonly namespaces: string
}

const linkRows = z.array(
  z.object({
    ifindex: z.number(),
    ifname: z.string(),
    mtu: z.number(),
    operstate: z.string(),
    address: z.string(),
    flags: z.array(z.string()),
    addr_info: z.array(z.object({ local: z.string(), prefixlen: z.number() })),
  }),
)
export type LinkRow = z.output<typeof linkRows>[number]

/** The device as `ip` sees it, or null. */
export async function linkOf(path: string, device: string): Promise<LinkRow | null> {
  const rows = linkRows.parse(JSON.parse(await inNamespace(path, 'ip', '-j', 'addr')))
  return rows.find(({ ifname }) => ifname === device) ?? null
}

/** Whether the host has a device of that name. */
export async function isOnHost(device: string): Promise<boolean> {
  const { exitCode } = await execa('ip', ['link', 'show', device], { reject: false })
  return exitCode === 0
}

/** A vif of a server of its own: the address is 10.9.<network>.<last>. */
export function vifOf(last: number, { vlan = 100, network = 0 }: { vlan?: number | null; network?: number } = {}): Vif {
  return {
    portId: randomUUID(),
    serverId: randomUUID(),
    mac: `fa:16:3e:${(randomBytes(3).toString('hex').match(/../g) ?? []).join(':')}`,
    addresses: [{ address: `10.9.${network}.${last}`, prefixLength: 24, gateway: `10.9.${network}.254` }],
    dns: [],
    mtu: 1400,
    vlan,
    device: 'eth0',
    security: null,
    inbound: null,
    outbound: null,
  }
}

function addressOf(vif: Vif): string {
  return vif.addresses[0]?.address ?? ''
}

const listener = `require('node:net').createServer((s) => { s.end(Buffer.alloc(1e6, 'x')) }).listen(7000, () => console.log('listening'))`

/** How many of a million bytes come over TCP from one guest to another. */
async function bytesOverTcp(from: string, to: string, address: string): Promise<number> {
  const server = execa('nsenter', [`--net=${from}`, process.execPath, '-e', listener], { reject: false })
  try {
    await once(server.stdout, 'data')
    return Number(await inNamespace(to, 'bash', '-c', `timeout 10 cat < /dev/tcp/${address}/7000 | wc -c`))
  } finally {
    server.kill()
    await server
  }
}

/** @param site is asked in each test: it may exist only when the tests run */
export function keepsTheVifContract<D>(type: VifType<D>, site: () => VifSite<D>): void {
  const plugged: string[] = []

  async function namespaceOf(vif: Vif): Promise<string> {
    const settings = { directory: site().namespaces, guestRootUid: 0 }
    return (await ensureNamespace(settings, vif.serverId)).netnsPath
  }
  async function plug(vif: Vif): Promise<string> {
    const path = await namespaceOf(vif)
    plugged.push(vif.portId)
    await type.plug(vif, site().details, path)
    return path
  }

  afterEach(async () => {
    for (const portId of plugged.splice(0)) await type.unplug(portId, site().details)
    const settings = { directory: site().namespaces, guestRootUid: 0 }
    for (const name of listNamespaces(settings)) removeNamespace(settings, name)
    const { stdout } = await execa('ip', ['-j', 'link', 'show', 'type', 'veth'])
    expect(JSON.parse(stdout || '[]')).toEqual([])
  })

  test('guests of one network reach each other with the first packet', async () => {
    const [one, two] = [vifOf(1), vifOf(2)]
    const [from] = await Promise.all([plug(one), plug(two)])
    expect(await pings(from, addressOf(two))).toBe(3)
  })

  test('guests of networks with different tags do not reach each other', async () => {
    const [one, two, untagged] = [vifOf(1), vifOf(2, { vlan: 200 }), vifOf(3, { vlan: null })]
    const [from] = await Promise.all([plug(one), plug(two), plug(untagged)])
    expect(await Promise.all([pings(from, addressOf(two)), pings(from, addressOf(untagged))])).toEqual([0, 0])
  })

  test('the host has neither address nor route at the devices of its guests', async () => {
    const [one, two] = [vifOf(1), vifOf(2)]
    const [from] = await Promise.all([plug(one), plug(two)])
    expect(await pings(from, addressOf(two))).toBe(3)
    for (const device of [hostDevice(one.portId), hostDevice(two.portId)]) {
      const shown = await execa('ip', ['-o', 'address', 'show', 'dev', device])
      const routes = await execa('ip', ['-6', 'route', 'show', 'table', 'all', 'dev', device])
      expect([shown.stdout, routes.stdout]).toEqual(['', ''])
    }
  })

  test('TCP passes whole', async () => {
    const [one, two] = [vifOf(1), vifOf(2)]
    const [from, to] = await Promise.all([plug(one), plug(two)])
    expect(await bytesOverTcp(from, to, addressOf(one))).toBe(1e6)
  })

  test('guests reach each other over IPv6', async () => {
    const v6 = (last: number): Vif => ({
      ...vifOf(last),
      addresses: [{ address: `fd00:9::${last}`, prefixLength: 64, gateway: 'fd00:9::fe' }],
    })
    const [one, two] = [v6(1), v6(2)]
    const [from] = await Promise.all([plug(one), plug(two)])
    expect(await pings(from, addressOf(two))).toBe(3)
    expect(await inNamespace(from, 'ip', '-6', 'route', 'show', 'default')).toContain('via fd00:9::fe')
  })

  test('the guest finds its device up, with MAC, MTU, addresses and default route', async () => {
    const vif = vifOf(7)
    const path = await plug(vif)
    const link = await linkOf(path, 'eth0')
    expect(link).toMatchObject({ address: vif.mac, mtu: vif.mtu, operstate: 'UP' })
    expect(link?.addr_info).toContainEqual(expect.objectContaining({ local: '10.9.0.7', prefixlen: 24 }))
    expect(await inNamespace(path, 'ip', 'route', 'show', 'default')).toContain('via 10.9.0.254 dev eth0')
    expect((await linkOf(path, 'lo'))?.flags).toContain('UP')
  })

  test('a second NIC stands beside the first and leaves the default route to it', async () => {
    const first = vifOf(1)
    const second: Vif = { ...vifOf(1, { vlan: 300, network: 1 }), serverId: first.serverId, device: 'eth1' }
    const path = await plug(first)
    await plug(second)
    expect(await linkOf(path, 'eth1')).toMatchObject({ address: second.mac, operstate: 'UP' })
    expect((await inNamespace(path, 'ip', 'route', 'show', 'default')).trim().split('\n')).toHaveLength(1)
  })

  test('plugging twice is as plugging once', async () => {
    const vif = vifOf(1)
    const path = await plug(vif)
    const before = await linkOf(path, 'eth0')
    await type.plug(vif, site().details, path)
    expect(await linkOf(path, 'eth0')).toEqual(before)
  })

  test('unplugging takes away the device, and unplugging again succeeds', async () => {
    const vif = vifOf(1)
    const path = await plug(vif)
    expect(await type.isPlugged(vif, site().details, path)).toBe(true)
    await type.unplug(vif.portId, site().details)
    expect(await linkOf(path, 'eth0')).toBeNull()
    expect(await isOnHost(hostDevice(vif.portId))).toBe(false)
    expect(await type.isPlugged(vif, site().details, path)).toBe(false)
    await type.unplug(vif.portId, site().details)
    await type.unplug(randomUUID(), site().details)
  })

  test('a vif whose namespace is gone is not plugged, and unplugging it succeeds', async () => {
    const vif = vifOf(1)
    const path = await plug(vif)
    removeNamespace({ directory: site().namespaces, guestRootUid: 0 }, vif.serverId)
    expect(await type.isPlugged(vif, site().details, path)).toBe(false)
    await type.unplug(vif.portId, site().details)
    expect(await isOnHost(hostDevice(vif.portId))).toBe(false)
  })

  test('a vif whose device vanished is seen as unplugged, and plugging it again heals it', async () => {
    const [one, two] = [vifOf(1), vifOf(2)]
    const [from] = await Promise.all([plug(one), plug(two)])
    await execa('ip', ['link', 'delete', hostDevice(one.portId)])
    expect(await type.isPlugged(one, site().details, from)).toBe(false)
    await type.plug(one, site().details, from)
    expect(await pings(from, addressOf(two))).toBe(3)
  })

  test('a vif follows its server into a namespace that was made anew', async () => {
    const [one, two] = [vifOf(1), vifOf(2)]
    const [, to] = await Promise.all([plug(one), plug(two)])
    removeNamespace({ directory: site().namespaces, guestRootUid: 0 }, one.serverId)
    const from = await plug(one)
    expect(await pings(from, addressOf(two))).toBe(3)
    expect(await pings(to, addressOf(one))).toBe(3)
  })

  test('what the guest changes inside is left to it, and the next plug gives back address and route on the device that it has', async () => {
    const vif = vifOf(1)
    const path = await plug(vif)
    const before = await linkOf(path, 'eth0')
    await inNamespace(path, 'ip', 'addr', 'flush', 'dev', 'eth0')
    await inNamespace(path, 'ip', 'link', 'set', 'eth0', 'down', 'address', '02:00:00:00:00:01', 'mtu', '1300')
    expect(await type.isPlugged(vif, site().details, path)).toBe(true)
    await type.plug(vif, site().details, path)
    const after = await linkOf(path, 'eth0')
    expect(after).toMatchObject({ ifindex: before?.ifindex, address: vif.mac, mtu: vif.mtu, operstate: 'UP' })
    expect(await inNamespace(path, 'ip', 'route', 'show', 'default')).toContain('via 10.9.0.254')
  })

  test('a device that the guest renamed is plugged, and a start gives it its name back', async () => {
    const vif = vifOf(1)
    const path = await plug(vif)
    await inNamespace(path, 'ip', 'link', 'set', 'eth0', 'down')
    await inNamespace(path, 'ip', 'link', 'set', 'eth0', 'name', 'lan0')
    expect(await type.isPlugged(vif, site().details, path)).toBe(true)
    await type.plug(vif, site().details, path)
    expect(await linkOf(path, 'eth0')).toMatchObject({ address: vif.mac, operstate: 'UP' })
    expect(await linkOf(path, 'lan0')).toBeNull()
  })

  test('what the host has lost is not plugged: the tag, the switch port, the device up', async () => {
    const vif = vifOf(1)
    const path = await plug(vif)
    await execa('ip', ['link', 'set', hostDevice(vif.portId), 'down'])
    expect(await type.isPlugged(vif, site().details, path)).toBe(false)
    await type.plug(vif, site().details, path)
    expect(await type.isPlugged(vif, site().details, path)).toBe(true)
    expect(await type.isPlugged({ ...vif, vlan: 101 }, site().details, path)).toBe(false)
    expect(await type.isPlugged({ ...vif, mac: 'fa:16:3e:00:00:01' }, site().details, path)).toBe(false)
  })

  test('a default route that the guest lost comes back with the next plug', async () => {
    const vif = vifOf(1)
    const path = await plug(vif)
    await inNamespace(path, 'ip', 'route', 'delete', 'default')
    await type.plug(vif, site().details, path)
    expect(await inNamespace(path, 'ip', 'route', 'show', 'default')).toContain('via 10.9.0.254')
  })

  test('an address that went to a new guest is reached at once by who knew the old one', async () => {
    const v6 = { address: 'fd00:9::2', prefixLength: 64, gateway: null }
    const neighbour = vifOf(1)
    const from = await plug({
      ...neighbour,
      addresses: [...neighbour.addresses, { ...v6, address: 'fd00:9::1' }],
    })
    const [old, next] = [vifOf(2), vifOf(2)].map((vif) => ({ ...vif, addresses: [...vif.addresses, v6] }))
    if (!old || !next) throw new Error('two vifs')
    await plug(old)
    expect(await Promise.all([pings(from, '10.9.0.2'), pings(from, 'fd00:9::2')])).toEqual([3, 3])
    await type.unplug(old.portId, site().details)
    await plug(next)
    expect(await Promise.all([pings(from, '10.9.0.2'), pings(from, 'fd00:9::2')])).toEqual([3, 3])
  })

  test('guests whose root is nobody on the host are plugged as others are', async () => {
    const [one, two] = [vifOf(1), vifOf(2)]
    const { netnsPath } = await ensureNamespace({ directory: site().namespaces, guestRootUid: 231072 }, one.serverId)
    plugged.push(one.portId)
    await type.plug(one, site().details, netnsPath)
    await plug(two)
    expect(await type.isPlugged(one, site().details, netnsPath)).toBe(true)
    expect(await pings(netnsPath, addressOf(two))).toBe(3)
  })

  test('what a crash left half-made is made whole', async () => {
    const [one, two] = [vifOf(1), vifOf(2)]
    const [from] = await Promise.all([namespaceOf(one), plug(two)])
    await execa('ip', ['link', 'add', hostDevice(one.portId), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', from])
    await plug(one)
    expect(await pings(from, addressOf(two))).toBe(3)
  })

  test('a vif cannot be plugged where there is no namespace, and nothing is left behind', async () => {
    const vif = vifOf(1)
    await expect(type.plug(vif, site().details, `${site().namespaces}/missing`)).rejects.toThrow()
    expect(await isOnHost(hostDevice(vif.portId))).toBe(false)
    expect(await type.isPlugged(vif, site().details, `${site().namespaces}/missing`)).toBe(false)
  })

  test('twenty vifs plugged at once all work', async () => {
    const vifs = Array.from({ length: 20 }, (_, index) => vifOf(index + 1))
    const paths = await Promise.all(vifs.map(plug))
    const whole = await Promise.all(vifs.map((vif, index) => type.isPlugged(vif, site().details, paths[index] ?? '')))
    expect(whole).toEqual(vifs.map(() => true))
    expect(await Promise.all(paths.slice(1, 5).map((path) => pings(path, '10.9.0.1')))).toEqual([3, 3, 3, 3])
  })
}
