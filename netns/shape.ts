/** What a guest sends waits at its own device when it is more than its limit. Source: tc-tbf(8) */
import { execa } from 'execa'
import type { Vif } from '../core/network.ts'

const timeoutMs = 10_000
const bytesPerKbit = 125
/** A burst must hold some frames, offloaded ones too, else the rate is not reached. */
const leastBurstBytes = 64 * 1024

interface Said {
  readonly ok: boolean
  readonly text: string
}

async function qdisc(netnsPath: string, words: readonly string[]): Promise<Said> {
  const { failed, stdout, stderr } = await execa('nsenter', [`--net=${netnsPath}`, 'tc', 'qdisc', ...words], {
    reject: false,
    timeout: timeoutMs,
  })
  return { ok: !failed, text: failed ? stderr : stdout }
}

/** A discipline of another kind is the guest's own. */
async function lift(device: string, netnsPath: string): Promise<Said> {
  const { ok, text } = await qdisc(netnsPath, ['show', 'dev', device, 'root'])
  return ok && text.startsWith('qdisc tbf') ? await qdisc(netnsPath, ['delete', 'dev', device, 'root']) : { ok, text }
}

/**
 * The guest's device has the limit of the vif, or none.
 *
 * @returns why not, or null: the device is the guest's, whose root may have renamed it, and the switch limits it too
 */
export async function shape(
  { device, outbound }: Pick<Vif, 'device' | 'outbound'>,
  netnsPath: string,
): Promise<string | null> {
  const burst = Math.max((outbound?.burst ?? 0) * bytesPerKbit, leastBurstBytes)
  const { ok, text } =
    outbound === null
      ? await lift(device, netnsPath)
      : await qdisc(netnsPath, [
          ...['replace', 'dev', device, 'root', 'tbf'],
          ...['rate', `${outbound.rate}kbit`, 'burst', `${burst}b`, 'latency', '50ms'],
        ])
  return ok ? null : text
}
