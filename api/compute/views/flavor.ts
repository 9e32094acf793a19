/** A flavor as Nova shows it. Source: nova/api/openstack/compute/views/flavors.py. Pure. */
import type { FlavorRow } from '../../../db/tables.ts'
import type { Microversion } from '../../microversion.ts'
import { linksOf } from '../links.ts'

type Json = Readonly<Record<string, unknown>>

export function flavorView(
  flavor: FlavorRow,
  { version, root }: { readonly version: Microversion; readonly root: string },
): Json {
  return {
    id: flavor.id,
    name: flavor.name,
    ram: flavor.memoryMiB,
    disk: flavor.diskGiB,
    vcpus: flavor.vcpus,
    swap: flavor.swapMiB === 0 && version < 75 ? '' : flavor.swapMiB,
    'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeralGiB,
    'OS-FLV-DISABLED:disabled': false,
    'os-flavor-access:is_public': flavor.isPublic,
    rxtx_factor: flavor.rxtxFactor,
    links: linksOf(root, 'flavors', flavor.id),
    ...(version >= 55 ? { description: flavor.description } : {}),
    ...(version >= 61 ? { extra_specs: flavor.extraSpecs } : {}),
  }
}

/** A flavor in a list without details. */
export function flavorReference(
  flavor: FlavorRow,
  { version, root }: { readonly version: Microversion; readonly root: string },
): Json {
  return {
    id: flavor.id,
    name: flavor.name,
    links: linksOf(root, 'flavors', flavor.id),
    ...(version >= 55 ? { description: flavor.description } : {}),
  }
}
