/** /os-availability-zone: zones are what aggregates say of their hosts. */
import { listZones } from '../../db/host-status.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import type { Call, Reply } from '../route.ts'
import { isUp, serviceTime } from './views/hypervisor.ts'

export async function index({ db }: Call): Promise<Reply> {
  const known = await listZones(db)
  const availabilityZoneInfo = known.map(({ name, isAvailable }) => ({
    zoneName: name,
    zoneState: { available: isAvailable },
    hosts: null,
  }))
  return { status: 200, body: { availabilityZoneInfo } }
}

export async function detail({ db }: Call): Promise<Reply> {
  const [known, hosts] = await Promise.all([listZones(db), hostsWithUse(db)])
  const servicesIn = (zone: string): object =>
    Object.fromEntries(
      hosts
        .filter((host) => host.zone === zone)
        .map((host) => {
          const service = { available: isUp(host), active: host.isEnabled, updated_at: serviceTime(host.heartbeatAt) }
          return [host.name, { 'nova-compute': service }] as const
        }),
    )
  const availabilityZoneInfo = known.map(({ name, isAvailable }) => ({
    zoneName: name,
    zoneState: { available: isAvailable },
    hosts: servicesIn(name),
  }))
  return { status: 200, body: { availabilityZoneInfo } }
}
