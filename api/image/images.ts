/** Images, to look at. Source of names and filters: glance's image API v2. */
import { Invalid, NotFound } from '../../core/errors.ts'
import { getImage, listImages, type ImageFilter } from '../../db/images.ts'
import { viewerOf } from '../caller.ts'
import { nextHref, pageOf } from '../page.ts'
import type { Call, Reply } from '../route.ts'
import { imageOf } from './find.ts'
import { imageView } from './view.ts'

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

/** Parameters that say something else than the value of a property. */
const spoken: ReadonlySet<string> = new Set([
  ...[
    'limit',
    'marker',
    'sort',
    'sort_key',
    'sort_dir',
    'visibility',
    'member_status',
    'owner',
    'name',
    'id',
    'status',
  ],
  ...['tag', 'os_hidden', 'protected', 'checksum', 'container_format', 'disk_format', 'size_min', 'size_max'],
  ...['min_ram', 'min_disk', 'created_at', 'updated_at'],
])

function truthOf(query: URLSearchParams, name: string): boolean | null {
  const text = query.get(name)?.toLowerCase() ?? null
  if (text === null) return null
  if (text !== 'true' && text !== 'false')
    throw new Invalid(`Invalid value '${text}' for '${name}': it is true or false.`)
  return text === 'true'
}

function numberOf(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)
  if (text === null) return null
  if (!/^\d{1,15}$/.test(text)) throw new Invalid(`Invalid value '${text}' for '${name}': it is a whole number.`)
  return Number(text)
}

/** Without what was not asked for. */
function given<T extends Readonly<Record<string, unknown>>>(
  fields: T,
): { readonly [K in keyof T]?: NonNullable<T[K]> } {
  const kept: { [K in keyof T]?: NonNullable<T[K]> } = {}
  for (const key in fields) {
    const value = fields[key]
    if (value !== null && value !== undefined) kept[key] = value
  }
  return kept
}

const memberStatuses = ['accepted', 'pending', 'rejected', 'all'] as const

function fieldsOf(query: URLSearchParams): Pick<ImageFilter, 'properties' | 'equal' | 'atLeast' | 'atMost'> {
  return {
    properties: Object.fromEntries([...query].filter(([name]) => !spoken.has(name))),
    equal: given({
      diskFormat: query.get('disk_format'),
      containerFormat: query.get('container_format'),
      checksum: query.get('checksum'),
      isProtected: truthOf(query, 'protected'),
    }),
    atLeast: given({
      sizeBytes: numberOf(query, 'size_min'),
      minMemoryMiB: numberOf(query, 'min_ram'),
      minDiskGiB: numberOf(query, 'min_disk'),
    }),
    atMost: given({ sizeBytes: numberOf(query, 'size_max') }),
  }
}

function filterOf({ query }: Call): ImageFilter {
  const wanted = query.get('visibility')
  const visibility = visibilities.find((known) => known === wanted) ?? null
  if (wanted !== null && wanted !== 'all' && visibility === null)
    throw new Invalid(`Invalid visibility value: ${wanted}`)
  const asked = query.get('member_status') ?? 'accepted'
  const memberStatus = memberStatuses.find((known) => known === asked)
  if (memberStatus === undefined) throw new Invalid(`Invalid status: ${asked}`)
  return {
    ...pageOf(query),
    names: oneOf(query.get('name')),
    ids: oneOf(query.get('id')),
    statuses: oneOf(query.get('status')),
    owner: query.get('owner'),
    tags: query.getAll('tag'),
    ...fieldsOf(query),
    isHidden: truthOf(query, 'os_hidden') ?? false,
    memberStatus,
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
  return { status: 200, body: imageView(await imageOf(call)) }
}
