/**
 * Extra specs that flavors may have, and their values. Checked from 2.86 on: a name in a known namespace must be known, names of other
 * namespaces are the operator's own. Source: nova's reference of extra specs.
 */
import { Invalid } from '../../core/errors.ts'
import type { Microversion } from '../microversion.ts'

/** What is wrong with a value; null = nothing. */
type Check = (value: string) => string | null

const words = /^(1|t|true|on|y|yes|0|f|false|off|n|no)$/i
const yesOrNo: Check = (value) => (words.test(value.trim()) ? null : `'${value}' is not a valid boolean-like value.`)

function integer({ least, most }: { readonly least?: number; readonly most?: number } = {}): Check {
  return (value) => {
    if (!/^\s*[+-]?\d+\s*$/.test(value)) return `'${value}' is not a valid integer value.`
    const number = Number(value)
    if (most !== undefined && number > most) return `'${value}' is greater than the max value of '${most}'.`
    if (least !== undefined && number < least) return `'${value}' is less than the min value of '${least}'.`
    return null
  }
}

function oneOf(...known: readonly string[]): Check {
  return (value) => (known.includes(value) ? null : `'${value}' is not one of: ${known.join(', ')}.`)
}

function like(pattern: string): Check {
  const whole = new RegExp(`^(?:${pattern})$`)
  return (value) => (whole.test(value) ? null : `'${value}' is not of the format '${pattern}'.`)
}

const anything: Check = () => null
const count = integer({ least: 0 })
const some = integer({ least: 1 })
const cpuSet = like(String.raw`\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*`)
const group = '([a-zA-Z0-9_-]{1,64})?'

/** Names, as whole regular expressions, and what their values must be. */
const known: readonly (readonly [name: string, check: Check])[] = [
  ['quota:cpu_(shares|period)', count],
  ['quota:cpu_quota', integer()],
  ['quota:(cpu|memory|disk_io|vif)_limit', count],
  ['quota:(cpu|memory|disk_io|vif)_reservation', integer()],
  ['quota:(cpu|memory|disk_io|vif)_shares_level', oneOf('custom', 'high', 'normal', 'low')],
  ['quota:(cpu|memory|disk_io|vif)_shares_share', count],
  ['quota:disk_(read|write|total)_(bytes|iops)_sec', count],
  ['quota:vif_(inbound|outbound)_(average|peak|burst)', count],
  ['hw:cpu_policy', oneOf('dedicated', 'shared', 'mixed')],
  ['hw:cpu_thread_policy', oneOf('prefer', 'isolate', 'require')],
  ['hw:emulator_threads_policy', oneOf('isolate', 'share')],
  ['hw:pci_numa_affinity_policy', oneOf('required', 'preferred', 'legacy', 'socket')],
  ['hw:(cpu_realtime_mask|cpu_dedicated_mask|numa_cpus\\.\\d+)', cpuSet],
  ['hw:(numa_mem\\.\\d+|numa_nodes|cpu_(max_)?(sockets|cores|threads))', some],
  ['hw:(cpu_realtime|hide_hypervisor_id|locked_memory|boot_menu|vif_multiqueue_enabled)', yesOrNo],
  ['hw:(mem_encryption|pmu|virtio_packed_ring|ephemeral_encryption)', yesOrNo],
  ['hw:mem_page_size', like(String.raw`(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)`)],
  ['hw:mem_encryption_model', oneOf('amd-sev', 'amd-sev-es', 'amd-sev-snp')],
  ['hw:pmem', like('([a-zA-Z0-9_]+(,)?)+')],
  ['hw:serial_port_count', count],
  ['hw:tpm_model', oneOf('tpm-tis', 'tpm-crb')],
  ['hw:tpm_version', oneOf('1.2', '2.0')],
  ['hw:tpm_secret_security', oneOf('user', 'host', 'deployment')],
  ['hw:watchdog_action', oneOf('none', 'pause', 'poweroff', 'reset', 'disabled')],
  ['hw:viommu_model', oneOf('intel', 'smmuv3', 'virtio', 'auto')],
  ['hw:(sound_model|usb_model|ephemeral_encryption_format)', anything],
  ['hw:redirected_usb_ports', integer({ least: 0, most: 15 })],
  ['hw_rng:allowed', yesOrNo],
  ['hw_rng:(rate_bytes|rate_period)', count],
  ['hw_video:ram_max_mb', count],
  ['os:secure_boot', oneOf('disabled', 'required')],
  [`resources${group}:[A-Z0-9_]+`, integer()],
  [`trait${group}:[A-Z0-9_]+`, oneOf('required', 'forbidden')],
  ['pci_passthrough:alias', like(String.raw`[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*`)],
  ['accel:device_profile', anything],
  ['capabilities:.+', anything],
  ['aggregate_instance_extra_specs:.+', anything],
  ['hide_hypervisor_id', yesOrNo],
  ['group_policy', oneOf('isolate', 'none')],
]

const rules = known.map(([name, check]) => ({ name: new RegExp(`^(?:${name})$`), check }))
const namespaces = new RegExp(
  `^(?:quota|hw|hw_rng|hw_video|os|resources${group}|trait${group}|pci_passthrough|accel|capabilities|aggregate_instance_extra_specs)$`,
)

function isNamespaced(name: string): boolean {
  const colon = name.indexOf(':')
  return colon >= 0 && namespaces.test(name.slice(0, colon))
}

/** @throws Invalid naming the first spec that is unknown or has a wrong value, from 2.86 on */
export function checkExtraSpecs(specs: Readonly<Record<string, string>>, version: Microversion): void {
  if (version < 86) return
  for (const [name, value] of Object.entries(specs)) {
    const rule = rules.find((candidate) => candidate.name.test(name))
    if (!rule && isNamespaced(name))
      throw new Invalid(`Validation failed; extra spec '${name}' does not appear to be a valid extra spec.`)
    const wrong = rule?.check(value) ?? null
    if (wrong !== null) throw new Invalid(`Validation failed; ${wrong}`)
  }
}
