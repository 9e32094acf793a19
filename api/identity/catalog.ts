/** The services of this cloud and where they are. */
import { createHash } from 'node:crypto'

/** Image and network without a version: clients append one, or ask. */
const services = [
  { type: 'identity', name: 'keystone', path: '/identity' },
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'network', name: 'neutron', path: '/networking' },
  { type: 'placement', name: 'placement', path: '/placement' },
] as const

const interfaces = ['public', 'internal', 'admin'] as const

export interface Endpoint {
  readonly id: string
  readonly interface: (typeof interfaces)[number]
  readonly region: string
  readonly region_id: string
  readonly url: string
}

export interface Service {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly endpoints: readonly Endpoint[]
}

/** The same id each time for what never changes. */
function idOf(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 32)
}

/** @param root such as 'http://10.0.0.1:8774' */
export function catalog(root: string, region: string): readonly Service[] {
  return services.map(({ type, name, path }) => ({
    id: idOf('service', type),
    type,
    name,
    endpoints: interfaces.map((kind) => ({
      id: idOf('endpoint', region, type, kind),
      interface: kind,
      region,
      region_id: region,
      url: `${root}${path}`,
    })),
  }))
}
