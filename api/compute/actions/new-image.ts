/** The row of an image that a guest's disk is to become. Source of the properties: nova/compute/utils.py, create_image. */
import { OverQuota } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { findImage } from '../../../db/images.ts'
import { insertImage } from '../../../db/new-images.ts'
import { quotasOf } from '../../../db/quotas.ts'
import type { ImageRow } from '../../../db/tables.ts'
import type { Call, Reply } from '../../route.ts'

/** Of the parent's properties, those that are the parent's alone. */
const ownProperties = /^(berth_|image_|instance_uuid$|backup_type$|base_image_ref$|user_id$|owner_)/

type Properties = Readonly<Record<string, string>>

export interface Snapshot {
  readonly name: string
  readonly metadata: Properties
  /** beside the user's metadata, and above them */
  readonly properties: Properties
}

function inherited(parent: ImageRow | null): Properties {
  return Object.fromEntries(Object.entries(parent?.properties ?? {}).filter(([name]) => !ownProperties.test(name)))
}

/** @throws OverQuota when the image has more metadata than the project may give it */
export async function addSnapshot(
  trx: Transaction,
  { caller }: Call,
  server: Server,
  { name, metadata, properties }: Snapshot,
): Promise<ImageRow> {
  const { metadata_items: most } = await quotasOf(trx, server.projectId)
  if (most >= 0 && Object.keys(metadata).length > most)
    throw new OverQuota(`Maximum number of metadata items exceeds ${most}`)
  const parent = server.imageId === null ? null : await findImage(trx, server.imageId)
  return await insertImage(trx, {
    projectId: server.projectId,
    name,
    serverId: server.id,
    parentId: server.imageId,
    minMemoryMiB: parent?.minMemoryMiB ?? 0,
    minDiskGiB: parent?.minDiskGiB ?? 0,
    diskFormat: 'raw',
    containerFormat: 'bare',
    properties: {
      ...inherited(parent),
      instance_uuid: server.id,
      user_id: caller.userId,
      image_type: 'snapshot',
      image_location: 'snapshot',
      base_image_ref: server.imageId ?? '',
      ...metadata,
      ...properties,
    },
  })
}

/** 2.45 put the id into the body. */
export function imageReply({ version, root }: Call, { id }: ImageRow): Reply {
  if (version >= 45) return { status: 202, body: { image_id: id } }
  return { status: 202, headers: { Location: `${root}/compute/images/${id}` } }
}
