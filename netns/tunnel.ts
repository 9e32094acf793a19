/** A VXLAN device: frames of one network go to the other hosts in UDP. Source: RFC 7348, ip-link(8), bridge(8) */
import { execa } from 'execa'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'
import type { LinuxBridges } from './linux-bridges.ts'
import { RtNetlink } from './rtnetlink.ts'

/** Where this host's end of all tunnels is, and the others'. */
export interface Tunnels {
  readonly local: string
  readonly remotes: readonly string[]
  /** of the frames inside: what the underlay carries, less the headers around them */
  readonly mtu: number
}

const port = 4789
const timeoutMs = 10_000
/** Whom a frame goes to whose receiver no host has told of yet. */
const everybody = '00:00:00:00:00:00'
const entries = z.array(z.object({ mac: z.string(), dst: z.string().optional() }))

async function floodedTo(bridges: Pick<LinuxBridges, 'netnsPath'>, device: string): Promise<readonly string[]> {
  const inside = bridges.netnsPath === null ? [] : ['nsenter', `--net=${bridges.netnsPath}`]
  const [program, ...args] = [...inside, 'bridge', '-j', 'fdb', 'show', 'dev', device]
  const { stdout } = await execa(program, args, { timeout: timeoutMs })
  return entries.parse(JSON.parse(stdout || '[]')).flatMap(({ mac, dst }) => (mac === everybody && dst ? [dst] : []))
}

/** The device stands, up, and floods to the remotes of the tunnels and nobody else. */
export async function ensureTunnel(
  bridges: Pick<LinuxBridges, 'netnsPath' | 'batch' | 'owner'>,
  { device, vni }: { readonly device: string; readonly vni: number },
  { local, remotes, mtu }: Tunnels,
): Promise<void> {
  using here = new RtNetlink(bridges.netnsPath)
  if (!(await here.link(device))) {
    await bridges.batch('ip', [
      `link add ${device} mtu ${mtu} type vxlan id ${vni} local ${local} dstport ${port} learning`,
      `link set ${device} alias "${bridges.owner} companion" addrgenmode none`,
      `link set ${device} up`,
    ])
  }
  const link = await here.link(device)
  if (!link) throw new Unavailable(`tunnel ${device} was not made`)
  const present = await floodedTo(bridges, device)
  const lines = [
    ...remotes.filter((one) => !present.includes(one)).map((one) => `fdb append ${everybody} dev ${device} dst ${one}`),
    ...present.filter((one) => !remotes.includes(one)).map((one) => `fdb delete ${everybody} dev ${device} dst ${one}`),
  ]
  if (lines.length > 0) await bridges.batch('bridge', lines)
}
