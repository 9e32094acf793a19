/** Hosts, as Nova shows them: hypervisors, services and zones. */
import { NotFound } from '../../core/errors.ts'
import { hostsWithUse, type HostUse } from '../../db/hosts.ts'
import { listZones, silentSecondsAllowed } from '../../db/host-status.ts'
import type { Call, Reply } from '../route.ts'

type Json = Readonly<Record<string, unknown>>

function isUp({ silentSeconds }: HostUse): boolean {
  return silentSeconds <= silentSecondsAllowed
}

/** Before 2.53 ids were numbers: the first 28 bits of ours. */
function idAt({ id }: HostUse, version: number): string | number {
  return version >= 53 ? id : Number.parseInt(id.slice(0, 7), 16)
}

function reference(host: HostUse, version: number): Json {
  return {
    id: idAt(host, version),
    hypervisor_hostname: host.name,
    state: isUp(host) ? 'up' : 'down',
    status: host.isEnabled ? 'enabled' : 'disabled',
  }
}

/** 18.04.1 is 18004001: Nova shows a number. */
function versionNumber(text: string): number {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0)
  return major * 1_000_000 + minor * 1000 + patch
}

/** Went at 2.88: placement says it better. */
function statistics(host: HostUse): Json {
  return {
    vcpus: host.vcpus,
    vcpus_used: host.usedVcpus,
    memory_mb: host.memoryMiB,
    memory_mb_used: host.usedMemoryMiB + host.reservedMemoryMiB,
    free_ram_mb: host.memoryMiB - host.usedMemoryMiB - host.reservedMemoryMiB,
    local_gb: host.diskGiB,
    local_gb_used: host.usedDiskGiB,
    free_disk_gb: host.diskGiB - host.usedDiskGiB,
    disk_available_least: null,
    running_vms: host.servers,
    current_workload: 0,
  }
}

function hypervisorView(host: HostUse, version: number): Json {
  return {
    ...reference(host, version),
    hypervisor_type: host.hypervisorType,
    hypervisor_version: versionNumber(host.hypervisorVersion),
    host_ip: '127.0.0.1',
    service: { id: idAt(host, version), host: host.name, disabled_reason: host.disabledReason },
    ...(version < 88 ? { ...statistics(host), cpu_info: version < 28 ? '{}' : {} } : { uptime: null }),
    ...(version >= 75 ? { servers: [] } : {}),
  }
}

async function hostsOf({ db, query }: Call): Promise<readonly HostUse[]> {
  const pattern = query.get('hypervisor_hostname_pattern')
  const hosts = await hostsWithUse(db)
  return pattern === null ? hosts : hosts.filter(({ name }) => name.includes(pattern))
}

export async function hypervisors(call: Call): Promise<Reply> {
  const hosts = await hostsOf(call)
  return { status: 200, body: { hypervisors: hosts.map((host) => reference(host, call.version)) } }
}

export async function hypervisorsDetail(call: Call): Promise<Reply> {
  const hosts = await hostsOf(call)
  return { status: 200, body: { hypervisors: hosts.map((host) => hypervisorView(host, call.version)) } }
}

export async function hypervisor(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const host = (await hostsWithUse(call.db)).find((known) => String(idAt(known, call.version)) === id)
  if (!host) throw new NotFound('Hypervisor with ID', `'${id}'`)
  return { status: 200, body: { hypervisor: hypervisorView(host, call.version) } }
}

export async function services(call: Call): Promise<Reply> {
  const { query, version } = call
  const hosts = await hostsWithUse(call.db)
  const wanted = hosts.filter(({ name }) => name === (query.get('host') ?? name))
  const shown = (query.get('binary') ?? 'nova-compute') === 'nova-compute' ? wanted : []
  const view = (host: HostUse): Json => ({
    id: idAt(host, version),
    binary: 'nova-compute',
    host: host.name,
    zone: host.zone,
    status: host.isEnabled ? 'enabled' : 'disabled',
    state: isUp(host) ? 'up' : 'down',
    updated_at: host.heartbeatAt.toISOString().replace('Z', '000'),
    disabled_reason: host.disabledReason,
    ...(version >= 11 ? { forced_down: false } : {}),
  })
  return { status: 200, body: { services: shown.map(view) } }
}

export async function zones({ db }: Call): Promise<Reply> {
  const known = await listZones(db)
  const availabilityZoneInfo = known.map(({ name, isAvailable }) => ({
    zoneName: name,
    zoneState: { available: isAvailable },
    hosts: null,
  }))
  return { status: 200, body: { availabilityZoneInfo } }
}

export async function zonesDetail({ db }: Call): Promise<Reply> {
  const [known, hosts] = await Promise.all([listZones(db), hostsWithUse(db)])
  const servicesIn = (zone: string): Json =>
    Object.fromEntries(
      hosts
        .filter((host) => host.zone === zone)
        .map((host) => [
          host.name,
          {
            'nova-compute': {
              available: isUp(host),
              active: host.isEnabled,
              updated_at: host.heartbeatAt.toISOString().replace('Z', '000'),
            },
          },
        ]),
    )
  const availabilityZoneInfo = known.map(({ name, isAvailable }) => ({
    zoneName: name,
    zoneState: { available: isAvailable },
    hosts: servicesIn(name),
  }))
  return { status: 200, body: { availabilityZoneInfo } }
}
