/** A server as Nova shows it at each microversion. Source: nova/api/openstack/compute/views/servers.py. Pure. */
import { createHash } from 'node:crypto'
import type { Server } from '../../../core/server.ts'
import { statusOf } from '../../../core/states.ts'
import type { ShownServer } from '../../../db/shown-servers.ts'
import { bookmark, linksOf } from '../links.ts'
import type { Microversion } from '../../microversion.ts'
import { addressesView } from './addresses.ts'

/** For whom a server is shown, and how. */
export interface Shown {
  readonly version: Microversion
  readonly root: string
  readonly isAdmin: boolean
  /** which request it answers: fields differ */
  readonly as: 'detail' | 'show' | 'update'
}

type Json = Readonly<Record<string, unknown>>

/** 2020-01-01T00:00:00Z: without fractions, as Nova's ISO dates are. */
export function isoTime(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** Of the database's text: without fractions, as `isoTime`. */
function shownTime(text: string): string {
  return `${text.slice(0, 10)}T${text.slice(11, 19)}Z`
}

/** Nova's launched_at: with microseconds and no zone. */
function usageTime(text: string | null): string | null {
  return text === null ? null : `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20).padEnd(6, '0')}`
}

/** Opaque to users, the same for servers of one project on one host. */
export function hostIdOf({ projectId, host }: Pick<Server, 'projectId' | 'host'>): string {
  return host === null ? '' : createHash('sha224').update(`${projectId}${host}`).digest('hex')
}

const progressing: readonly string[] = ['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING']

function flavorField({ flavor }: ShownServer, { version, root }: Shown): Json {
  if (version < 47) return { id: flavor.id, links: [bookmark(root, 'flavors', flavor.id)] }
  return {
    vcpus: flavor.vcpus,
    ram: flavor.memoryMiB,
    disk: flavor.diskGiB,
    ephemeral: flavor.ephemeralGiB ?? 0,
    swap: flavor.swapMiB ?? 0,
    original_name: flavor.name,
    extra_specs: flavor.extraSpecs,
  }
}

function faultField({ fault }: ShownServer, { isAdmin }: Shown): Json {
  if (fault === null) return {}
  const { code, message, details, created } = fault
  const open = isAdmin || code !== 500
  return {
    fault: { code, created, message, ...(open && details !== '' ? { details } : {}) },
  }
}

/** What every view has, at every version. */
function basic(server: ShownServer, shown: Shown): Json {
  const { root, as, version } = shown
  const status = statusOf(server.vmState, server.taskState)
  return {
    id: server.id,
    name: server.name,
    status,
    tenant_id: server.projectId,
    user_id: server.userId,
    metadata: server.metadata,
    hostId: server.hostDigest,
    image: server.imageId === null ? '' : { id: server.imageId, links: [bookmark(root, 'images', server.imageId)] },
    flavor: flavorField(server, shown),
    created: shownTime(server.createdAt),
    updated: shownTime(server.updatedAt),
    addresses: addressesView(server.addresses, { extended: as !== 'update' || version >= 75 }),
    accessIPv4: server.accessIpv4 ?? '',
    accessIPv6: server.accessIpv6 ?? '',
    links: linksOf(root, 'servers', server.id),
    'OS-DCF:diskConfig': server.diskConfig,
    ...(progressing.includes(status) ? { progress: 0 } : {}),
    ...faultField(server, shown),
  }
}

/** What an update did not show before 2.75. */
function extended(server: ShownServer, { version }: Shown): Json {
  return {
    'OS-EXT-AZ:availability_zone': server.availabilityZone,
    config_drive: server.configDrive ? 'True' : '',
    key_name: server.keyName,
    'OS-SRV-USG:launched_at': usageTime(server.launchedAt),
    'OS-SRV-USG:terminated_at': usageTime(server.terminatedAt),
    'OS-EXT-STS:task_state': server.taskState,
    'OS-EXT-STS:vm_state': server.vmState,
    'OS-EXT-STS:power_state': server.powerState,
    'os-extended-volumes:volumes_attached': [],
    ...(server.securityGroups.length > 0 ? { security_groups: server.securityGroups.map((name) => ({ name })) } : {}),
    ...(version >= 90 ? { 'OS-EXT-SRV-ATTR:hostname': server.hostname } : {}),
  }
}

/** What only administrators see. */
function administrative(server: ShownServer, { version }: Shown): Json {
  return {
    'OS-EXT-SRV-ATTR:host': server.host,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': server.host,
    'OS-EXT-SRV-ATTR:instance_name': `instance-${server.id.slice(0, 8)}`,
    ...(version >= 3
      ? {
          'OS-EXT-SRV-ATTR:reservation_id': server.reservationId,
          'OS-EXT-SRV-ATTR:launch_index': server.launchIndex,
          'OS-EXT-SRV-ATTR:hostname': server.hostname,
          'OS-EXT-SRV-ATTR:kernel_id': '',
          'OS-EXT-SRV-ATTR:ramdisk_id': '',
          'OS-EXT-SRV-ATTR:root_device_name': null,
          'OS-EXT-SRV-ATTR:user_data': server.userData,
        }
      : {}),
    ...(version >= 16 ? { host_status: server.hostStatus } : {}),
  }
}

/** What later microversions added to every view. */
function later(server: ShownServer, { version, as }: Shown): Json {
  return {
    ...(version >= 9 ? { locked: server.lockedBy !== null } : {}),
    ...(version >= 19 ? { description: server.description } : {}),
    ...(version >= 26 ? { tags: server.tags } : {}),
    ...(version >= 63 ? { trusted_image_certificates: null } : {}),
    ...(version >= 71 && as !== 'detail'
      ? { server_groups: server.serverGroupId === null ? [] : [server.serverGroupId] }
      : {}),
    ...(version >= 73 ? { locked_reason: server.lockedReason } : {}),
    ...(version >= 96 ? { pinned_availability_zone: server.pinnedZone } : {}),
  }
}

export function serverView(server: ShownServer, shown: Shown): Json {
  const full = shown.as !== 'update' || shown.version >= 75
  return {
    ...basic(server, shown),
    ...(full ? extended(server, shown) : {}),
    ...(full && shown.isAdmin ? administrative(server, shown) : {}),
    ...later(server, shown),
  }
}

/** A server in a list without details. */
export function serverReference({ id, name }: Pick<Server, 'id' | 'name'>, root: string): Json {
  return { id, name, links: linksOf(root, 'servers', id) }
}
