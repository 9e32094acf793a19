import type { Server, ServerFlavor } from '../core/server.ts'
import type { Vif } from '../core/network.ts'
import type { Config } from '../core/config.ts'
import { cpuLimitsOf } from '../core/flavor-limits.ts'
import type { GuestDisks, GuestSpec } from '../driver/driver.ts'
import { nocloudSeed } from '../driver/seed.ts'
import { metadataAddress, type Namespace } from '../netns/index.ts'

/** What a guest is made of. */
export interface GuestParts {
  readonly server: Server
  readonly vifs: readonly Vif[]
  readonly image: string
  readonly namespace: Namespace
  readonly adminPassword: string | null
  /** fixed CPUs, or null */
  readonly cpuset: string | null
  readonly config: Config
  readonly enforcesDisk: boolean
}

/** Those of its subnets; where they name none, the network's own. */
function resolversOf(vifs: readonly Vif[]): readonly string[] {
  const named = [...new Set(vifs.flatMap(({ dns }) => dns))]
  const hasV4 = vifs.some(({ addresses }) => addresses.some(({ address }) => !address.includes(':')))
  return named.length === 0 && hasV4 ? [metadataAddress] : named
}

/** A flavor without an ephemeral disk may say nothing of one. */
export function disksOf({ diskGiB, ephemeralGiB = 0 }: ServerFlavor): GuestDisks {
  return { rootGiB: diskGiB, ephemeralGiB }
}

/** Linux keeps no longer name of a machine: of one with its domain, the first label is left. */
const longestHostname = 64

/** The guest that a server's row describes. */
export function guestSpec({
  server,
  vifs,
  image,
  namespace,
  adminPassword,
  cpuset,
  config,
  enforcesDisk,
}: GuestParts): GuestSpec {
  const addresses = vifs.flatMap((vif) => vif.addresses.map(({ address }) => address))
  const [label = ''] = server.hostname.split('.')
  const names = [...new Set([server.hostname, label])]
  const hostname = server.hostname.length > longestHostname ? label : server.hostname
  return {
    serverId: server.id,
    hostname,
    image,
    vcpus: server.flavor.vcpus,
    cpuset,
    cpu: cpuLimitsOf(server.flavor),
    memoryMiB: server.flavor.memoryMiB,
    pidsLimit: config.pidsLimit,
    diskGiB: enforcesDisk && server.flavor.diskGiB > 0 ? server.flavor.diskGiB : null,
    disks: disksOf(server.flavor),
    netnsPath: namespace.netnsPath,
    usernsPath: namespace.usernsPath,
    dns: resolversOf(vifs),
    hosts:
      addresses.length > 0
        ? addresses.slice(0, 1).map((address) => ({ address, names }))
        : [{ address: '127.0.1.1', names }],
    files: nocloudSeed({
      serverId: server.id,
      hostname,
      publicKeys: server.publicKey === null ? [] : [{ name: server.keyName ?? 'key', key: server.publicKey }],
      userData: server.userData,
      metadata: server.metadata,
      adminPassword,
      projectId: server.projectId,
      availabilityZone: server.availabilityZone,
    }),
  }
}
