/** Which servers a list is asked for. Source: nova/api/openstack/compute/servers.py and schemas/servers.py, query_params. */
import { Forbidden, Invalid } from '../../../core/errors.ts'
import { statusOf, taskStates, vmStates } from '../../../core/states.ts'
import { isUuid } from '../../../core/uuid.ts'
import type { ServerFilter, TagFilter } from '../../../db/server-filter.ts'
import { queryRecord } from '../../body.ts'
import { projectOf } from '../../caller.ts'
import { isAllowed } from '../../policy.ts'
import type { Call } from '../../route.ts'
import { refuseParameters } from '../keys.ts'
import { spanIn, timeOf } from '../times.ts'

type Words = Readonly<Record<string, string>>

const known: ReadonlySet<string> = new Set(
  vmStates.flatMap((vm) => [null, ...taskStates].map((task) => statusOf(vm, task))),
)

/** All that Nova knows at 2.75, where it begins to refuse others. Those that are the same for all servers here filter nothing. */
const parameters: readonly string[] = [
  ...['user_id', 'project_id', 'tenant_id', 'launch_index', 'image_ref', 'image', 'kernel_id', 'ramdisk_id'],
  ...['hostname', 'key_name', 'power_state', 'vm_state', 'task_state', 'host', 'node', 'flavor', 'reservation_id'],
  ...['launched_at', 'terminated_at', 'availability_zone', 'name', 'display_name', 'description'],
  ...['display_description', 'locked_by', 'uuid', 'root_device_name', 'config_drive', 'access_ip_v4'],
  ...['access_ip_v6', 'auto_disk_config', 'progress', 'sort_key', 'sort_dir', 'all_tenants', 'soft_deleted'],
  ...['deleted', 'status', 'changes-since', 'ip', 'ip6', 'created_at', 'limit', 'marker', 'tags', 'tags-any'],
  ...['not-tags', 'not-tags-any', 'changes-before', 'locked'],
]

/** Not one of any server's. */
const impossible = '00000000-0000-0000-0000-000000000000'

function flag(text: string): boolean {
  return ['1', 't', 'true', 'on', 'y', 'yes', ''].includes(text.toLowerCase())
}

function flagOrNull(text: string | undefined): boolean | null {
  return text === undefined ? null : flag(text)
}

/** Text that is no number is one that no server has. */
function numberOrNull(text: string | undefined): number | null {
  if (text === undefined) return null
  return /^\d{1,9}$/.test(text) ? Number(text) : -1
}

/** An unknown status is an error from 2.38 on; before, it is a status that no server has. */
function statusesOf({ query, version, caller }: Call): readonly string[] | null {
  const asked = query.getAll('status').map((status) => status.toUpperCase())
  const unknown = asked.find((status) => !known.has(status))
  if (unknown !== undefined && version >= 38) throw new Invalid(`Invalid status value: ${unknown}`)
  if (asked.includes('DELETED') && !caller.isAdmin)
    throw new Forbidden('Only administrators may list deleted instances')
  return asked.length > 0 ? asked : null
}

/** Whose servers: the project's own, unless an administrator asks for all or for another project's. */
function scopeOf({ caller }: Call, words: Words): string | null {
  if (words.all_tenants === undefined || !flag(words.all_tenants)) return projectOf(caller)
  if (!isAllowed(caller, 'os_compute_api:servers:index:get_all_tenants'))
    throw new Forbidden("Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.")
  return words.project_id ?? words.tenant_id ?? null
}

/** What tells of the cloud's inside is the administrators'; from 2.83 others have these words too, but for the host. */
function insideOf(
  { caller, version }: Call,
  words: Words,
): Pick<ServerFilter, 'host' | 'vmState' | 'taskState' | 'userId'> {
  const host = caller.isAdmin ? (words.host ?? words.node ?? null) : null
  if (!caller.isAdmin && version < 83) return { host, vmState: null, taskState: null, userId: null }
  return {
    host,
    vmState: words.vm_state ?? null,
    taskState: words.task_state ?? null,
    userId: words.user_id ?? null,
  }
}

/** Who asks what changed is told of deleted servers too. */
function deletedOf({ caller, version }: Call, words: Words): ServerFilter['deleted'] {
  const isDeleted = words.status?.toUpperCase() === 'DELETED' || (words.deleted !== undefined && flag(words.deleted))
  if (caller.isAdmin && isDeleted) return 'only'
  const asksForChanges = 'changes-since' in words || ('changes-before' in words && version >= 66)
  return asksForChanges && (words.deleted === undefined || !caller.isAdmin) ? 'also' : 'no'
}

/** A pattern that is none is taken as plain text. */
function pattern(text: string | undefined): string | null {
  if (text === undefined || text === '') return null
  try {
    new RegExp(text)
    return text
  } catch (error) {
    if (error instanceof SyntaxError) return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    throw error
  }
}

/** Without those that were not asked for. */
function asked<T>(fields: Readonly<Record<string, T | null>>): Readonly<Record<string, T>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])),
  )
}

function tagsOf({ query, version }: Call): TagFilter {
  const words = (name: string): readonly string[] | null => {
    const text = version >= 26 ? query.get(name) : null
    return text === null ? null : text.split(',')
  }
  return {
    all: words('tags'),
    any: words('tags-any'),
    notAll: words('not-tags'),
    notAny: words('not-tags-any'),
  }
}

function lastPart(reference: string | undefined): string | null {
  return reference === undefined ? null : reference.slice(reference.lastIndexOf('/') + 1)
}

function madeOf(
  words: Words,
): Pick<ServerFilter, 'imageId' | 'flavorId' | 'configDrive' | 'diskConfig' | 'launchIndex'> {
  const image = lastPart(words.image ?? words.image_ref)
  const isAuto = flagOrNull(words.auto_disk_config)
  return {
    imageId: image === null || isUuid(image) ? image : impossible,
    flavorId: lastPart(words.flavor),
    configDrive: flagOrNull(words.config_drive),
    diskConfig: isAuto === null ? null : isAuto ? 'AUTO' : 'MANUAL',
    launchIndex: numberOrNull(words.launch_index),
  }
}

function namesOf(words: Words): Pick<ServerFilter, 'ids' | 'patterns' | 'reservationId'> {
  return {
    ids: words.uuid === undefined ? null : [isUuid(words.uuid) ? words.uuid : impossible],
    reservationId: words.reservation_id ?? null,
    patterns: asked({
      name: pattern(words.name ?? words.display_name),
      hostname: pattern(words.hostname),
      description: pattern(words.description ?? words.display_description),
      keyName: pattern(words.key_name),
    }),
  }
}

function addressesOf(words: Words): Pick<ServerFilter, 'ip' | 'ip6' | 'accessIp'> {
  const accessIp = asked({ accessIpv4: pattern(words.access_ip_v4), accessIpv6: pattern(words.access_ip_v6) })
  return { ip: pattern(words.ip), ip6: pattern(words.ip6), accessIp }
}

/** @throws Invalid, Forbidden */
export function filterOf(call: Call): ServerFilter {
  const { query, version } = call
  refuseParameters(query, parameters, version)
  const words = queryRecord(query)
  return {
    ...insideOf(call, words),
    ...madeOf(words),
    ...namesOf(words),
    ...addressesOf(words),
    ...spanIn(query, { since: true, before: version >= 66 }),
    projectId: scopeOf(call, words),
    deleted: deletedOf(call, words),
    statuses: statusesOf(call),
    powerState: numberOrNull(words.power_state),
    availabilityZone: words.availability_zone ?? null,
    locked: version >= 73 ? flagOrNull(words.locked) : null,
    lockedBy: words.locked_by ?? null,
    times: asked({
      createdAt: timeOf(query, 'created_at'),
      launchedAt: timeOf(query, 'launched_at'),
      terminatedAt: timeOf(query, 'terminated_at'),
    }),
    tags: tagsOf(call),
  }
}
