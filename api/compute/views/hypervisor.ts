/** A host as Nova shows hypervisors and services. Source: nova/api/openstack/compute/hypervisors.py, services.py. Pure. */
import { z } from 'zod'
import { silentSecondsAllowed } from '../../../db/host-status.ts'
import type { HostUse } from '../../../db/hosts.ts'
import type { SchedulerState } from '../../../db/schedulers.ts'
import type { Microversion } from '../../microversion.ts'

type Json = Readonly<Record<string, unknown>>

export function isUp({ silentSeconds, isForcedDown }: HostUse): boolean {
  return !isForcedDown && silentSeconds <= silentSecondsAllowed
}

/** Before 2.53 ids were numbers. */
export function hostIdAt({ id, number }: Pick<HostUse, 'id' | 'number'>, version: Microversion): string | number {
  return version >= 53 ? id : number
}

/** Nova's times of services: with microseconds and no zone. */
export function serviceTime(date: Date): string {
  return date.toISOString().replace('Z', '000')
}

/** What the agent says of its machine; hosts of older agents say nothing. */
const machine = z.object({
  address: z.string().catch('127.0.0.1'),
  bootedAt: z.coerce.date().nullable().catch(null),
  architecture: z.string().catch(''),
  cpuModel: z.string().catch(''),
  cpus: z.number().nullable().catch(null),
})

export function hypervisorReference(host: HostUse, version: Microversion): Json {
  return {
    id: hostIdAt(host, version),
    hypervisor_hostname: host.name,
    state: isUp(host) ? 'up' : 'down',
    status: host.isEnabled ? 'enabled' : 'disabled',
  }
}

/** 18.4.1 is 18004001: Nova shows a number. */
function versionNumber(text: string): number {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0)
  return major * 1_000_000 + minor * 1000 + patch
}

/** Went from hypervisors at 2.88: placement says it better. */
export function statisticsOf(host: HostUse): Readonly<Record<string, number>> {
  return {
    vcpus: host.vcpus,
    vcpus_used: host.usedVcpus,
    memory_mb: host.memoryMiB,
    memory_mb_used: host.usedMemoryMiB + host.reservedMemoryMiB,
    free_ram_mb: host.memoryMiB - host.usedMemoryMiB - host.reservedMemoryMiB,
    local_gb: host.diskGiB,
    local_gb_used: host.usedDiskGiB,
    free_disk_gb: host.diskGiB - host.usedDiskGiB,
    disk_available_least: host.diskGiB - host.usedDiskGiB,
    running_vms: host.servers,
    current_workload: 0,
  }
}

function cpuInfo(host: HostUse): Json {
  const { architecture, cpuModel, cpus } = machine.parse(host.traits)
  return { arch: architecture, model: cpuModel, topology: { cores: cpus ?? host.vcpus, threads: 1, sockets: 1 } }
}

/** As uptime(1) says it, of the machine; null when the host is down. */
export function uptimeOf(host: HostUse, now: Date): string | null {
  if (!isUp(host)) return null
  const since = machine.parse(host.traits).bootedAt ?? host.startedAt
  const minutes = Math.max(0, Math.floor((now.getTime() - since.getTime()) / 60_000))
  const days = Math.floor(minutes / 1440)
  const clock = `${Math.floor((minutes % 1440) / 60)}:${String(minutes % 60).padStart(2, '0')}`
  return ` ${now.toISOString().slice(11, 19)} up ${days > 0 ? `${days} days, ` : ''}${clock}`
}

export function hypervisorView(host: HostUse, version: Microversion): Json {
  const info = cpuInfo(host)
  const old = { ...statisticsOf(host), cpu_info: version < 28 ? JSON.stringify(info) : info }
  return {
    ...hypervisorReference(host, version),
    hypervisor_type: host.hypervisorType,
    hypervisor_version: versionNumber(host.hypervisorVersion),
    host_ip: machine.parse(host.traits).address,
    service: { id: hostIdAt(host, version), host: host.name, disabled_reason: host.disabledReason },
    ...(version < 88 ? old : { uptime: uptimeOf(host, new Date()) }),
  }
}

export function serviceView(host: HostUse, version: Microversion): Json {
  return {
    id: hostIdAt(host, version),
    binary: 'nova-compute',
    host: host.name,
    zone: host.zone,
    status: host.isEnabled ? 'enabled' : 'disabled',
    state: isUp(host) ? 'up' : 'down',
    updated_at: serviceTime(host.heartbeatAt),
    disabled_reason: host.disabledReason,
    ...(version >= 11 ? { forced_down: host.isForcedDown } : {}),
  }
}

/** Nova's zone of everything that runs no servers. */
export const internalZone = 'internal'

export function schedulerView(scheduler: SchedulerState, version: Microversion): Json {
  return {
    id: hostIdAt(scheduler, version),
    binary: 'nova-scheduler',
    host: scheduler.host,
    zone: internalZone,
    status: 'enabled',
    state: scheduler.silentSeconds <= silentSecondsAllowed ? 'up' : 'down',
    updated_at: serviceTime(scheduler.heartbeatAt),
    disabled_reason: null,
    ...(version >= 11 ? { forced_down: false } : {}),
  }
}
