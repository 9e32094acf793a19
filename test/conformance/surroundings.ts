/** What the judges are told about the cloud, read from its own API. */
import { z } from 'zod'
import type { TestCloud } from '../world/index.ts'
import { Api } from './api.ts'

export interface Named {
  readonly id: string
  readonly name: string
}

export interface Surroundings {
  readonly authUrl: string
  readonly password: string
  readonly region: string
  readonly image: Named
  /** another one, with another id */
  readonly imageAlt: Named
  readonly flavor: Named
  /** has more memory */
  readonly flavorAlt: Named
  /** every project may use it */
  readonly network: Named
  /** aliases of the network API's extensions */
  readonly extensions: readonly string[]
  readonly microversions: { readonly least: string; readonly most: string; readonly placement: string | null }
  /** the last address of its pool, which is handed out only when asked for */
  readonly address: string
  readonly hypervisorType: string
  /** how many hosts run servers */
  readonly hostCount: number
}

const named = z.object({ id: z.string(), name: z.string() })
const images = z.object({ images: z.array(named) })
const flavors = z.object({ flavors: z.array(named) })
const networks = z.object({ networks: z.array(named) })
const subnets = z.object({
  subnets: z.array(z.object({ allocation_pools: z.array(z.object({ end: z.string() })) })),
})
const extensions = z.object({ extensions: z.array(z.object({ alias: z.string() })) })
const versions = z.object({
  versions: z.array(z.object({ id: z.string(), min_version: z.string(), version: z.string() })),
})
const placement = z.object({ versions: z.array(z.object({ max_version: z.string() })) })
const hypervisors = z.object({ hypervisors: z.array(z.object({ hypervisor_type: z.string() })) })
const services = z.object({
  services: z.array(z.object({ binary: z.string(), state: z.string(), status: z.string() })),
})

function pick(kind: string, all: readonly Named[], name: string): Named {
  const found = all.find((one) => one.name === name)
  if (!found) throw new Error(`the cloud has no ${kind} ${name}, but ${all.map((one) => one.name).join(', ')}`)
  return found
}

/** Asks a running cloud. The small image is the first choice: most of Tempest's servers are of it. */
export async function surroundingsOf(cloud: TestCloud): Promise<Surroundings> {
  const api = await Api.open(cloud)
  const { images: allImages } = await api.get(images, '/image/v2/images')
  const { flavors: allFlavors } = await api.get(flavors, '/compute/v2.1/flavors')
  const { networks: allNetworks } = await api.get(networks, '/networking/v2.0/networks?shared=true')
  const { extensions: allExtensions } = await api.get(extensions, '/networking/v2.0/extensions')
  const compute = (await api.get(versions, '/compute/')).versions.find(({ id }) => id === 'v2.1')
  const { services: allServices } = await api.get(services, '/compute/v2.1/os-services')
  const { hypervisors: allHypervisors } = await api.get(hypervisors, '/compute/v2.1/os-hypervisors/detail')
  const network = pick('network', allNetworks, cloud.site.config.networkName)
  const { subnets: itsSubnets } = await api.get(subnets, `/networking/v2.0/subnets?network_id=${network.id}`)
  const address = itsSubnets[0]?.allocation_pools.at(-1)?.end
  if (address === undefined) throw new Error(`network ${network.name} has no addresses to hand out`)
  return {
    authUrl: `${cloud.url}/identity/v3`,
    password: cloud.adminPassword,
    region: cloud.site.config.region,
    image: pick('image', allImages, 'debian-12-small'),
    imageAlt: pick('image', allImages, 'debian-12'),
    flavor: pick('flavor', allFlavors, 'm1.nano'),
    flavorAlt: pick('flavor', allFlavors, 'm1.tiny'),
    network,
    address,
    extensions: allExtensions.map(({ alias }) => alias),
    microversions: {
      least: compute?.min_version ?? '2.1',
      most: compute?.version ?? '2.1',
      placement: (await api.get(placement, '/placement/')).versions[0]?.max_version ?? null,
    },
    hypervisorType: allHypervisors[0]?.hypervisor_type ?? '',
    hostCount: allServices.filter(
      ({ binary, state, status }) => binary === 'nova-compute' && state === 'up' && status === 'enabled',
    ).length,
  }
}
