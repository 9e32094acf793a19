/** Guests that talk to each other, and what they can say. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import type { GroupRule, Policy, SecurityGroup, Vif } from '../../../core/network.ts'
import { openWires, type Wires } from '../../../netns/index.ts'
import { vifOf } from '../../contracts/vif.ts'
import { TestHost } from '../host.ts'

const python = '/usr/bin/python3'

/** A rule of all traffic one way, IPv4, unless told. */
export function rule(direction: GroupRule['direction'], what: Partial<GroupRule> = {}): GroupRule {
  const anybody = { protocol: null, portMin: null, portMax: null, remotePrefix: null, remoteGroupId: null }
  return { id: randomUUID(), direction, family: 4, ...anybody, ...what }
}

export function group(...rules: readonly GroupRule[]): SecurityGroup {
  return { id: randomUUID(), rules }
}

/** Everything in and out, of both families. */
export function openGroup(): SecurityGroup {
  const families = [4, 6] as const
  return group(...families.flatMap((family) => [rule('ingress', { family }), rule('egress', { family })]))
}

export function guest(last: number, groups: readonly SecurityGroup[], more: Partial<Vif> = {}): Vif {
  const v6 = { address: `fd00:9::${last}`, prefixLength: 64, gateway: null }
  const vif = vifOf(last)
  const security = { groupIds: groups.map(({ id }) => id), addressPairs: [] }
  return { ...vif, addresses: [...vif.addresses, v6], security, ...more }
}

export function policy(
  groups: readonly SecurityGroup[],
  members: Readonly<Record<string, readonly string[]>> = {},
): Policy {
  return { groups, members: new Map(Object.entries(members)) }
}

export class FlowSite {
  readonly host: TestHost
  readonly wires: Wires

  constructor(host: TestHost, wires: Wires) {
    this.host = host
    this.wires = wires
  }

  static async start(vifType: 'ovs' | 'bridge' = 'ovs'): Promise<FlowSite> {
    const host = await TestHost.start({ hasSwitch: vifType === 'ovs' })
    const namespaces = { directory: host.namespaces, guestRootUid: 0 }
    const settings = { ovsSocket: host.socket, bridge: 'br-test', datapath: 'netdev', owner: 'test' } as const
    return new FlowSite(host, await openWires({ ...settings, vifType, namespaces }))
  }

  /** @returns the paths of their namespaces */
  async plug(...vifs: readonly Vif[]): Promise<readonly string[]> {
    return await Promise.all(
      vifs.map(async (vif) => {
        const namespace = await this.wires.ensureNamespace(vif.serverId)
        await this.wires.plug(vif, namespace)
        return namespace.netnsPath
      }),
    )
  }

  async clear(): Promise<void> {
    for (const { portId } of await this.wires.list()) await this.wires.unplug(portId)
    for (const serverId of this.wires.listNamespaces()) await this.wires.removeNamespace(serverId)
    for (const device of await this.wires.listGateways()) await this.wires.removeGateway(device)
  }

  async stop(): Promise<void> {
    this.wires.close()
    await this.host.stop()
  }
}

function words(path: string | null, script: string, args: readonly string[]): readonly [string, readonly string[]] {
  const run = [python, '-u', '-c', script, ...args]
  return path === null ? ['env', run] : ['nsenter', [`--net=${path}`, ...run]]
}

const echoScript = `
import socket, sys, threading
s = socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
print('listening')
def serve(c):
    while data := c.recv(4096): c.sendall(data)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
`

/** Runs `work` while a TCP echo server listens in a guest. */
export async function whileEchoing<T>(
  { path, address, port }: { readonly path: string; readonly address: string; readonly port: number },
  work: () => Promise<T>,
): Promise<T> {
  const server = execa(...words(path, echoScript, [address, String(port)]), { reject: false })
  try {
    await once(server.stdout, 'data')
    return await work()
  } finally {
    server.kill()
    await server
  }
}

const callScript = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1.5)
s.sendall(b'hello')
print(s.recv(5).decode())
`

/** Whether an echo server answers. @param path null = asked by the host */
export async function reaches(path: string | null, address: string, port: number): Promise<boolean> {
  const { stdout } = await execa(...words(path, callScript, [address, String(port)]), {
    reject: false,
    timeout: 20_000,
  })
  return stdout === 'hello'
}

const talkScript = `
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
s.settimeout(0.3)
n = 0
while True:
    n += 1
    s.sendall(b'%08d' % n)
    got = b''
    while len(got) < 8:
        try: got += s.recv(8 - len(got))
        except TimeoutError: print('silence')
    print('%d %.3f' % (n, time.time()))
    time.sleep(0.005)
`

/** A connection over which a guest says something all the time, and hears it back or not. */
export class Talk {
  readonly #child
  /** ms between two answers, the longest yet */
  longestGapMs = 0
  answers = 0
  isSilent = false

  constructor(path: string, address: string, port: number) {
    this.#child = execa(...words(path, talkScript, [address, String(port)]), { reject: false })
    let last: number | null = null
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const [number, seconds] = line.split(' ')
      this.isSilent = number === 'silence'
      if (seconds === undefined) return
      this.answers += 1
      const at = Number(seconds) * 1000
      if (last !== null) this.longestGapMs = Math.max(this.longestGapMs, at - last)
      last = at
    })
  }

  async end(): Promise<void> {
    this.#child.kill()
    await this.#child
  }
}

const sendScript = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
for line in sys.stdin: s.send(bytes.fromhex(line.strip()))
`

/** Puts frames on the wire of a guest, as its root can. */
export async function send(path: string, frames: readonly Buffer[]): Promise<void> {
  const input = frames.map((frame) => `${frame.toString('hex')}\n`).join('')
  await execa(...words(path, sendScript, []), { input, timeout: 10_000 })
}

const hearScript = `
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('eth0', 0))
print('listening')
while True: print(s.recv(2048).hex())
`

/** All frames that a guest's device gets while `work` runs, in hexadecimal. `until` it is asked with those heard so far. */
export async function heard(
  path: string,
  work: (frames: readonly string[]) => Promise<void>,
): Promise<readonly string[]> {
  const child = execa(...words(path, hearScript, []), { reject: false })
  const frames: string[] = []
  try {
    await new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'listening') resolve()
        else frames.push(line)
      })
    })
    await work(frames)
    return frames
  } finally {
    child.kill()
    await child
  }
}
