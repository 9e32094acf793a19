/** Images, to look at. Source of names and filters: glance's image API v2. */
import { Invalid, NotFound } from '../../core/errors.ts'
import { getImage, listImages, type ImageFilter } from '../../db/images.ts'
import type { ImageRow } from '../../db/tables.ts'
import { viewerOf } from '../caller.ts'
import { nextHref, pageOf } from '../page.ts'
import type { Call, OpenCall, Reply } from '../route.ts'

const versions = ['v2.9', 'v2.7', 'v2.6', 'v2.5', 'v2.4', 'v2.3', 'v2.2', 'v2.1', 'v2.0'] as const

function versionList(root: string): unknown {
  const links = [{ rel: 'self', href: `${root}/image/v2/` }]
  return { versions: versions.map((id, place) => ({ id, status: place === 0 ? 'CURRENT' : 'SUPPORTED', links })) }
}

/** Glance answers its root with 300, and /versions with 200. */
export function root({ root: href }: OpenCall): Reply {
  return { status: 300, body: versionList(href) }
}

export function allVersions({ root: href }: OpenCall): Reply {
  return { status: 200, body: versionList(href) }
}

function seconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** Flat: a property of the user's stands beside Glance's own. */
export function imageView(image: ImageRow): Readonly<Record<string, unknown>> {
  const digest = /@sha256:([0-9a-f]{64})$/.exec(image.reference ?? '')?.[1] ?? null
  return {
    ...image.properties,
    id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    owner: image.projectId,
    size: image.sizeBytes,
    virtual_size: null,
    min_ram: image.minMemoryMiB,
    min_disk: image.minDiskGiB,
    protected: image.isProtected,
    tags: image.tags,
    container_format: 'docker',
    disk_format: 'raw',
    checksum: null,
    os_hash_algo: digest === null ? null : 'sha256',
    os_hash_value: digest,
    os_hidden: false,
    created_at: seconds(image.createdAt),
    updated_at: seconds(image.updatedAt),
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
  }
}

/** 'in:a,b' lists several values; everything else is one. */
function oneOf(text: string | null): readonly string[] | null {
  if (text === null) return null
  return text.startsWith('in:')
    ? text
        .slice(3)
        .split(',')
        .map((part) => part.replace(/^"(.*)"$/, '$1'))
    : [text]
}

const sortKeys = ['created_at', 'updated_at', 'name', 'id', 'status'] as const
const visibilities = ['public', 'private', 'shared', 'community'] as const

/** Both ways to say it: sort=name:asc, and sort_key=name&sort_dir=asc. Of several keys the first counts, then the id. */
function sortOf(query: URLSearchParams): ImageFilter['sort'] {
  const [key, direction] =
    (query.get('sort') ?? `${query.get('sort_key') ?? 'created_at'}:${query.get('sort_dir') ?? 'desc'}`)
      .split(',', 1)[0]
      ?.split(':') ?? []
  const by = sortKeys.find((known) => known === key)
  if (by === undefined) throw new Invalid(`Unsupported sort key: ${key ?? ''}`)
  return { by, direction: direction === 'asc' ? 'asc' : 'desc' }
}

function filterOf({ query }: Call): ImageFilter {
  const wanted = query.get('visibility')
  const visibility = visibilities.find((known) => known === wanted) ?? null
  if (wanted !== null && wanted !== 'all' && visibility === null)
    throw new Invalid(`Invalid visibility value: ${wanted}`)
  return {
    ...pageOf(query),
    names: oneOf(query.get('name')),
    ids: oneOf(query.get('id')),
    statuses: oneOf(query.get('status')),
    owner: query.get('owner'),
    tags: query.getAll('tag'),
    visibility,
    sort: sortOf(query),
  }
}

export async function index(call: Call): Promise<Reply> {
  const filter = filterOf(call)
  const viewer = viewerOf(call.caller)
  if (filter.marker !== null)
    await getImage(call.db, filter.marker, viewer).catch((error: unknown) => {
      throw error instanceof NotFound
        ? new Invalid(`Invalid marker: ${String(filter.marker)}`, { cause: error })
        : error
    })
  const images = await listImages(call.db, filter, viewer)
  const next = nextHref(
    { ...call, root: '', path: '/v2/images' },
    filter,
    images.map(({ id }) => id),
  )
  const body = { images: images.map(imageView), first: '/v2/images', schema: '/v2/schemas/images' }
  return { status: 200, body: next === null ? body : { ...body, next } }
}

export async function show(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  try {
    return { status: 200, body: imageView(await getImage(call.db, id, viewerOf(call.caller))) }
  } catch (error) {
    throw error instanceof NotFound ? new NoImage(id, { cause: error }) : error
  }
}

/** Glance's own sentence. */
class NoImage extends NotFound {
  constructor(id: string, options: ErrorOptions) {
    super('Image', id, options)
    this.message = `No image found with ID ${id}`
  }
}
