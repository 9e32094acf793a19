/**
 * Limits at the host's end of a guest's pair, out of its root's reach. Towards the guest: a token bucket on the device. From the guest:
 * what comes in is led through a device of its own, an ifb, which has one. Source: tc-tbf(8), tc-mirred(8)
 */
import type { RateLimit, Vif } from '../core/network.ts'
import type { LinuxBridges } from './linux-bridges.ts'
import { RtNetlink } from './rtnetlink.ts'

const bytesPerKbit = 125
/** A burst must hold some frames, offloaded ones too, else the rate is not reached. */
const leastBurstBytes = 64 * 1024

function bucket(device: string, { rate, burst }: RateLimit): string {
  const bytes = Math.max(burst * bytesPerKbit, leastBurstBytes)
  return `qdisc replace dev ${device} root tbf rate ${rate}kbit burst ${bytes}b latency 50ms`
}

function detourOf(device: string): string {
  return device.replace(/^tap/, 'ifb')
}

/** What the guest gets; null = no limit. A device that is not there has none. */
async function limitGuest(bridges: LinuxBridges, device: string, limit: RateLimit | null): Promise<void> {
  using here = new RtNetlink(bridges.netnsPath)
  const link = await here.link(device)
  if (!link) return
  if (limit) await bridges.batch('tc', [bucket(device, limit)])
  else if (link.qdisc === 'tbf') await bridges.batch('tc', [`qdisc delete dev ${device} root`])
}

/** What the guest sends; null = no limit. */
async function limitHost(bridges: LinuxBridges, device: string, limit: RateLimit | null): Promise<void> {
  const detour = detourOf(device)
  using here = new RtNetlink(bridges.netnsPath)
  const found = await here.link(detour)
  if (limit === null) {
    if (!found) return
    if (await here.link(device)) await bridges.batch('tc', [`qdisc delete dev ${device} ingress`])
    await here.deleteLink(detour)
    return
  }
  if (!found) await bridges.batch('ip', [`link add ${detour} type ifb`, `link set ${detour} up`])
  // Limited first, then taken: no frame goes by unlimited.
  await bridges.batch('tc', [
    bucket(detour, limit),
    `qdisc replace dev ${device} ingress`,
    `filter replace dev ${device} parent ffff: protocol all prio 1 handle 800::1 u32 match u32 0 0 action mirred egress redirect dev ${detour}`,
  ])
}

/** The device has these limits, and no others, when this returns. */
export async function limit(
  bridges: LinuxBridges,
  device: string,
  { inbound, outbound }: Pick<Vif, 'inbound' | 'outbound'>,
): Promise<void> {
  await limitGuest(bridges, device, inbound)
  await limitHost(bridges, device, outbound)
}

/** To be called before the device goes. */
export async function lift(bridges: LinuxBridges, device: string): Promise<void> {
  await limitHost(bridges, device, null)
}
