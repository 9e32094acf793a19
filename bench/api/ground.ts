/** What the servers of a benchmark are made of. */
import type { Db } from '../../db/connect.ts'
import type { ServerPage } from '../../db/server-list.ts'

export interface Ground {
  readonly projectId: string
  readonly userId: string
  readonly networkId: string
  readonly subnetId: string
  readonly imageId: string
  readonly imageReference: string
  readonly securityGroupId: string
  readonly flavor: Readonly<Record<string, unknown>>
}

/** A page that the API reads when its user asks for no more than its length. */
export function pageOfProject(projectId: string, limit: number): ServerPage {
  const states = { statuses: null, vmState: null, taskState: null, powerState: null, locked: null, lockedBy: null }
  const made = { flavorId: null, imageId: null, configDrive: null, diskConfig: null, launchIndex: null, times: {} }
  const places = { host: null, availabilityZone: null, ip: null, ip6: null, accessIp: {} }
  const names = { ids: null, patterns: {}, userId: null, reservationId: null }
  const tags = { all: null, any: null, notAll: null, notAny: null }
  const page = { limit, marker: null, sort: [], changesSince: null, changesBefore: null }
  return { ...states, ...made, ...places, ...names, ...page, tags, projectId, deleted: 'no' }
}

export async function groundOf(db: Db, { projectId, userId }: Pick<Ground, 'projectId' | 'userId'>): Promise<Ground> {
  const network = await db('networks').where({ name: 'wide' }).first('id')
  const subnet = await db('subnets')
    .where({ networkId: network?.id ?? '' })
    .first('id')
  const image = await db('images').first('id', 'reference')
  const group = await db('security_groups').where({ projectId, name: 'default' }).first('id')
  const flavor = await db('flavors').where({ name: 'm1.tiny' }).first()
  if (!network || !subnet || !image || !group || !flavor) throw new Error('the cloud of the benchmark is not whole')
  const { id, name, vcpus, memoryMiB, diskGiB, extraSpecs } = flavor
  return {
    projectId,
    userId,
    networkId: network.id,
    subnetId: subnet.id,
    imageId: image.id,
    imageReference: image.reference ?? '',
    securityGroupId: group.id,
    flavor: { id, name, vcpus, memoryMiB, diskGiB, extraSpecs },
  }
}

/** The id of a server that is there. */
export async function someServer(db: Db): Promise<string> {
  const row = await db('servers').whereNotNull('host').first('id')
  if (!row) throw new Error('there are no servers')
  return row.id
}
