/** An image as Nova showed it before 2.36. Source: nova/api/openstack/compute/views/images.py. Pure. */
import type { ImageRow } from '../../../db/tables.ts'
import { bookmark } from '../links.ts'
import { isoTime } from './server.ts'

type Json = Readonly<Record<string, unknown>>

const statuses: Readonly<Record<ImageRow['status'], string>> = {
  queued: 'SAVING',
  uploading: 'SAVING',
  importing: 'SAVING',
  saving: 'SAVING',
  active: 'ACTIVE',
  deactivated: 'UNKNOWN',
  killed: 'ERROR',
  deleted: 'DELETED',
}

/** Glance's states that one of Nova's stands for; none for a status that no image has. */
export function statesOf(status: string): readonly string[] {
  return Object.entries(statuses).flatMap(([state, shown]) => (shown === status.toUpperCase() ? [state] : []))
}

const percent: Readonly<Partial<Record<ImageRow['status'], number>>> = { queued: 25, saving: 50, active: 100 }

/** Nova's own, and where Glance has it. */
function links(root: string, id: string): readonly Json[] {
  return [
    { rel: 'self', href: `${root}/compute/v2.1/images/${id}` },
    { ...bookmark(root, 'images', id) },
    { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${root}/image/images/${id}` },
  ]
}

export function imageReference({ id, name }: ImageRow, root: string): Json {
  return { id, name, links: links(root, id) }
}

export function imageView(image: ImageRow, root: string): Json {
  const { serverId: server } = image
  return {
    ...imageReference(image, root),
    status: statuses[image.status],
    created: isoTime(image.createdAt),
    updated: isoTime(image.updatedAt),
    minDisk: image.minDiskGiB,
    minRam: image.minMemoryMiB,
    progress: percent[image.status] ?? 0,
    metadata: image.properties,
    'OS-EXT-IMG-SIZE:size': image.sizeBytes,
    ...(server === null
      ? {}
      : {
          server: {
            id: server,
            links: [{ rel: 'self', href: `${root}/compute/v2.1/servers/${server}` }, bookmark(root, 'servers', server)],
          },
        }),
  }
}
