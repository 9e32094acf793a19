/** Figures of a guest. Source: nova/objects/diagnostics.py and, before 2.48, the libvirt driver's own names. Pure. */
import type { NicFigures, Server } from '../../../core/server.ts'
import type { Microversion } from '../../microversion.ts'
import type { Figures } from '../servers/figures.ts'

type Json = Readonly<Record<string, unknown>>
interface Running extends Figures {
  readonly guest: NonNullable<Figures['guest']>
}

const kibPerMib = 1024

function namedNic({ device, received, sent }: NicFigures): Json {
  return {
    [`${device}_rx`]: received.bytes,
    [`${device}_rx_packets`]: received.packets,
    [`${device}_rx_errors`]: received.errors,
    [`${device}_rx_drop`]: received.dropped,
    [`${device}_tx`]: sent.bytes,
    [`${device}_tx_packets`]: sent.packets,
    [`${device}_tx_errors`]: sent.errors,
    [`${device}_tx_drop`]: sent.dropped,
  }
}

/** Memory in KiB, as libvirt has it; the kernel keeps the time of all of a guest's CPUs together. */
function asNamed({ guest, nics }: Running): Json {
  return {
    cpu0_time: guest.cpuNanoseconds,
    memory: guest.memoryLimitMiB * kibPerMib,
    'memory-actual': guest.memoryLimitMiB * kibPerMib,
    'memory-rss': guest.memoryUsedMiB * kibPerMib,
    vda_read: guest.disk.readBytes,
    vda_read_req: guest.disk.readRequests,
    vda_write: guest.disk.writeBytes,
    vda_write_req: guest.disk.writeRequests,
    vda_errors: -1,
    ...Object.fromEntries(nics.flatMap((one) => Object.entries(namedNic(one)))),
  }
}

function nic({ mac, received, sent }: NicFigures): Json {
  return {
    mac_address: mac,
    rx_octets: received.bytes,
    rx_packets: received.packets,
    rx_errors: received.errors,
    rx_drop: received.dropped,
    rx_rate: null,
    tx_octets: sent.bytes,
    tx_packets: sent.packets,
    tx_errors: sent.errors,
    tx_drop: sent.dropped,
    tx_rate: null,
  }
}

/** `driver` is one of a list that clients check, which has no word for containers; `hypervisor` says what it is. */
function asObject(server: Server, { guest, nics }: Running): Json {
  return {
    state: 'running',
    driver: 'libvirt',
    hypervisor: 'docker',
    hypervisor_os: 'linux',
    uptime: guest.uptimeSeconds,
    config_drive: server.configDrive,
    num_cpus: server.flavor.vcpus,
    num_nics: nics.length,
    num_disks: 1,
    memory_details: { maximum: guest.memoryLimitMiB, used: guest.memoryUsedMiB },
    cpu_details: [{ id: null, time: guest.cpuNanoseconds, utilisation: null }],
    nic_details: nics.map(nic),
    disk_details: [
      {
        read_bytes: guest.disk.readBytes,
        read_requests: guest.disk.readRequests,
        write_bytes: guest.disk.writeBytes,
        write_requests: guest.disk.writeRequests,
        errors_count: null,
      },
    ],
  }
}

export function diagnosticsView(server: Server, figures: Running, version: Microversion): Json {
  return version >= 48 ? asObject(server, figures) : asNamed(figures)
}
