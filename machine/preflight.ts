/** What this machine lacks, each in one line with its remedy. Nothing is changed here. */
import { existsSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import type { Config } from '../core/config.ts'

/** What was found of the machine, in a line. */
export interface Finding {
  /** 'lack' keeps up from going on; 'note' is good to know */
  readonly level: 'lack' | 'note'
  readonly text: string
}

const gib = 1024 ** 3
const leastMemoryGiB = 1.5
const leastDiskGiB = 5
const controllers = ['cpu', 'cpuset', 'memory', 'pids', 'freezer', 'devices']

function lack(text: string): Finding {
  return { level: 'lack', text }
}

function has(path: string, word: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8').split(/\s+/).includes(word)
}

export function cgroupVersion(): 1 | 2 {
  return existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1
}

/** What the kernel can do for guests' wires. Devices of a kind that it has not are refused when they are made, not before. */
function wires({ vifType, uplink, tunnelAddress }: Config): readonly Finding[] {
  const hasBridge = existsSync('/proc/sys/net/bridge') || existsSync('/sys/module/br_netfilter')
  const hasVlan = existsSync('/proc/net/vlan') || existsSync('/sys/module/8021q')
  const hasVxlan = existsSync('/sys/module/vxlan')
  const kinds = ['ovs', ...(hasBridge ? ['bridge'] : [])].join(' or ')
  return [
    ...(vifType === 'bridge' && !hasBridge
      ? [
          lack(
            'kernel: no br_netfilter, which guards guests on Linux bridges; remedy: modprobe br_netfilter, or BERTH_VIF_TYPE=ovs',
          ),
        ]
      : []),
    ...(vifType === 'bridge' && uplink !== null && !hasVlan
      ? [
          lack(
            'kernel: no 802.1Q, which VLANs of an uplink need on Linux bridges; remedy: modprobe 8021q, or BERTH_VIF_TYPE=ovs',
          ),
        ]
      : []),
    ...(tunnelAddress !== null && !hasVxlan
      ? [lack('kernel: no VXLAN, which tunnels need; remedy: modprobe vxlan, or no BERTH_TUNNEL_ADDRESS')]
      : []),
    { level: 'note', text: `wires ${kinds}` },
  ]
}

function kernel(): readonly Finding[] {
  const findings: Finding[] = []
  if (!has('/proc/filesystems', 'overlay'))
    findings.push(lack('kernel: no overlay file system; remedy: modprobe overlay, or a kernel with CONFIG_OVERLAY_FS'))
  if (!has('/proc/filesystems', 'fuse'))
    findings.push(lack('kernel: no FUSE, which lxcfs needs; remedy: modprobe fuse, or BERTH_LXCFS_DIR=off'))
  if (!existsSync('/proc/self/ns/user'))
    findings.push(lack('kernel: no user namespaces; remedy: a kernel with CONFIG_USER_NS'))
  if (!existsSync('/dev/net/tun'))
    findings.push(lack('kernel: no /dev/net/tun, which Open vSwitch needs; remedy: modprobe tun'))
  const path = cgroupVersion() === 2 ? '/sys/fs/cgroup/cgroup.controllers' : '/proc/cgroups'
  for (const name of controllers) {
    if (cgroupVersion() === 2 && (name === 'freezer' || name === 'devices')) continue
    if (!has(path, name)) findings.push(lack(`cgroup: no ${name} controller; remedy: boot with cgroup_enable=${name}`))
  }
  return findings
}

async function disk(home: string): Promise<readonly Finding[]> {
  let place = home
  while (!existsSync(place)) place = dirname(place)
  const { bavail, bsize } = await statfs(place)
  const free = (bavail * bsize) / gib
  return free >= leastDiskGiB
    ? []
    : [
        lack(
          `disk: ${free.toFixed(1)} GiB free at ${place}, ${leastDiskGiB} needed; remedy: free some, or set BERTH_HOME elsewhere`,
        ),
      ]
}

function memory(): readonly Finding[] {
  const total = totalmem() / gib
  return total >= leastMemoryGiB
    ? []
    : [lack(`memory: ${total.toFixed(1)} GiB, ${leastMemoryGiB} needed; remedy: a larger machine`)]
}

async function isFree(port: number, address: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: address, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

async function ports(config: Config): Promise<readonly Finding[]> {
  const wanted = [
    {
      port: config.apiPort,
      address: config.listenAddress,
      variable: 'BERTH_API_PORT',
      isOurs: config.services.includes('api'),
    },
    {
      port: config.postgresPort,
      address: '127.0.0.1',
      variable: 'BERTH_POSTGRES_PORT',
      isOurs: config.databaseUrl === null,
    },
    {
      port: config.registryPort,
      address: config.registryAddress,
      variable: 'BERTH_REGISTRY_PORT',
      isOurs: config.registryUrl === null,
    },
  ]
  const findings: Finding[] = []
  for (const { port, address, variable, isOurs } of wanted) {
    if (isOurs && !(await isFree(port, address)))
      findings.push(lack(`port ${address}:${port} is taken; remedy: set ${variable} to a free one`))
  }
  return findings
}

/** @param isRunning whether our own parts hold their ports already */
export async function preflight(
  config: Config,
  { isRunning }: { readonly isRunning: boolean },
): Promise<readonly Finding[]> {
  // What else another user would find lacking is for the most part what he may not see.
  if (process.getuid?.() !== 0) return [lack('root: containers and networks need it; remedy: sudo ./berth up')]
  const debian = existsSync('/usr/bin/apt-get') ? [] : [lack('Debian: no apt-get here; remedy: Debian 12 or newer')]
  const notes: Finding[] = [{ level: 'note', text: `cgroup version ${cgroupVersion()}` }]
  return [
    ...debian,
    ...kernel(),
    ...wires(config),
    ...memory(),
    ...(await disk(config.home)),
    ...(isRunning ? [] : await ports(config)),
    ...notes,
  ]
}
