/** /images: Glance's, as Nova had them before 2.36. Source: nova/api/openstack/compute/images.py. */
import { Invalid, NotFound } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'
import { getImage, listImages, type ImageFilter } from '../../db/images.ts'
import type { ImageRow } from '../../db/tables.ts'
import { viewerOf } from '../caller.ts'
import { removeImage } from '../image/actions.ts'
import { imageOf } from '../image/find.ts'
import { linksField, nextHref, pageOf } from '../page.ts'
import type { Call, Reply } from '../route.ts'
import { timeOf } from './times.ts'
import { imageReference, imageView, statesOf } from './views/image.ts'

/** A property by its name, or by Nova's own word for it. */
function propertiesOf(query: URLSearchParams): Readonly<Record<string, string>> {
  const named = [...query].flatMap(([name, value]) => {
    if (name === 'type') return [['image_type', value] as const]
    const [, property] = /^property-(.+)$/.exec(name) ?? []
    return property === undefined ? [] : [[property, value] as const]
  })
  // A server is named by its id, or by any of its links.
  const server = query.get('server')?.split('/').at(-1)
  return Object.fromEntries([...named, ...(server === undefined ? [] : [['instance_uuid', server] as const])])
}

function numberIn(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null
}

/** @throws Invalid when the marker names no image that the caller may see */
async function filterOf({ db, query, caller }: Call): Promise<ImageFilter> {
  const page = pageOf(query)
  if (page.marker !== null) {
    const known = await getImage(db, page.marker, viewerOf(caller)).catch((error: unknown) => {
      if (error instanceof NotFound) return null
      throw error
    })
    if (known === null || !isUuid(page.marker)) throw new Invalid(`Marker ${page.marker} could not be found.`)
  }
  const [status, name, since] = [query.get('status'), query.get('name'), timeOf(query, 'changes-since')]
  const [memory, disk] = [numberIn(query, 'minRam'), numberIn(query, 'minDisk')]
  return {
    ...page,
    names: name === null ? null : [name],
    ids: null,
    statuses: status === null ? null : statesOf(status),
    visibility: null,
    owner: null,
    tags: [],
    properties: propertiesOf(query),
    equal: {},
    atLeast: {
      ...(since === null ? {} : { updatedAt: since }),
      ...(memory === null ? {} : { minMemoryMiB: memory }),
      ...(disk === null ? {} : { minDiskGiB: disk }),
    },
    atMost: {},
    isHidden: false,
    memberStatus: 'accepted',
    sort: { by: 'created_at', direction: 'desc' },
  }
}

async function list(call: Call, view: (image: ImageRow, root: string) => unknown): Promise<Reply> {
  const filter = await filterOf(call)
  const images = await listImages(call.db, filter, viewerOf(call.caller))
  const ids = images.map(({ id }) => id)
  const body = { images: images.map((image) => view(image, call.root)) }
  return { status: 200, body: { ...body, ...linksField('images', nextHref(call, filter, ids)) } }
}

export async function index(call: Call): Promise<Reply> {
  return await list(call, imageReference)
}

export async function detail(call: Call): Promise<Reply> {
  return await list(call, imageView)
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { image: imageView(await imageOf(call), call.root) } }
}

export async function remove(call: Call): Promise<Reply> {
  await removeImage(call)
  return { status: 204 }
}
