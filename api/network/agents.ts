/** Hosts, as Neutron shows them: each has what plugs its ports. */
import { listZones, silentSecondsAllowed } from '../../db/host-status.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import type { Call, Reply } from '../route.ts'
import { listed } from './listing.ts'
import { seconds } from './times.ts'

export async function index(call: Call): Promise<Reply> {
  const views = (await hostsWithUse(call.db)).map((host) => ({
    id: host.id,
    agent_type: 'Open vSwitch agent',
    binary: 'berth-agent',
    topic: 'N/A',
    host: host.name,
    alive: host.silentSeconds <= silentSecondsAllowed,
    admin_state_up: host.isEnabled,
    availability_zone: null,
    created_at: seconds(host.startedAt),
    started_at: seconds(host.startedAt),
    heartbeat_timestamp: seconds(host.heartbeatAt),
    description: null,
    configurations: {},
    resources_synced: null,
  }))
  return listed(call, 'agents', views)
}

export async function zones(call: Call): Promise<Reply> {
  const views = (await listZones(call.db)).map(({ name, isAvailable }) => ({
    name,
    resource: 'network',
    state: isAvailable ? 'available' : 'unavailable',
  }))
  return listed(call, 'availability_zones', views)
}
