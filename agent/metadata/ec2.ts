/** The same in Amazon's form: a tree of small texts. Source: Amazon EC2 User Guide, "Instance metadata categories" */
import type { Vif } from '../../core/network.ts'
import type { Server } from '../../core/server.ts'

export const versions = ['1.0', '2007-01-19', '2007-12-15', '2008-02-01', '2008-09-01', '2009-04-04', 'latest'] as const

interface Tree {
  readonly [name: string]: string | Tree
}

/** Amazon's ids are shorter than a UUID: its last eight digits. */
function shortId(prefix: string, id: string): string {
  return `${prefix}-${id.replaceAll('-', '').slice(-8)}`
}

export function treeOf(server: Server, vifs: readonly Vif[]): Tree {
  const v4 =
    vifs.flatMap(({ addresses }) => addresses.map(({ address }) => address)).find((one) => !one.includes(':')) ?? ''
  const key = server.publicKey
  return {
    'ami-id': shortId('ami', server.imageId ?? server.id),
    'ami-launch-index': String(server.launchIndex),
    hostname: server.hostname,
    'instance-action': 'none',
    'instance-id': shortId('i', server.id),
    'instance-type': server.flavor.name,
    'local-hostname': server.hostname,
    'local-ipv4': v4,
    mac: vifs[0]?.mac ?? '',
    placement: { 'availability-zone': server.availabilityZone },
    'public-hostname': server.hostname,
    'public-ipv4': '',
    ...(key === null ? {} : { 'public-keys': { '0': { 'openssh-key': key } } }),
    'reservation-id': server.reservationId,
  }
}

/** A text, the list of what is under a path, or null when nothing is. Keys are listed with their names. */
export function lookUp(tree: Tree, path: readonly string[], keyName: string): string | null {
  let found: string | Tree = tree
  for (const name of path) {
    const next: string | Tree | undefined =
      typeof found === 'string' || !Object.hasOwn(found, name) ? undefined : found[name]
    if (next === undefined) return null
    found = next
  }
  if (typeof found === 'string') return found
  if (path.length === 1 && path[0] === 'public-keys') return `0=${keyName}`
  return Object.entries(found)
    .map(([name, value]) => (typeof value === 'string' ? name : `${name}/`))
    .join('\n')
}
