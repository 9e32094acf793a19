/** Which images are wanted where, and what nobody needs any more. */
import type { Db } from './connect.ts'
import { digestIn } from './host-images.ts'
import type { ImageRow } from './tables.ts'

/** From now on the image is brought to these hosts, also to those that join. @param hosts null = all */
export async function wishImage(db: Db, imageId: string, hosts: readonly string[] | null): Promise<void> {
  await db('image_wishes')
    .insert((hosts ?? [null]).map((host) => ({ imageId, host })))
    .onConflict(db.raw(`(image_id, coalesce(host, ''))`))
    .ignore()
}

/** It stays where it is until nothing has needed it for a while. */
export async function forgetWishes(db: Db, imageId: string): Promise<void> {
  await db('image_wishes').where({ imageId }).delete()
}

/** Bound: :host, :isPublic. */
const wanted = `
  select i.reference from images i
  where i.status = 'active' and i.reference is not null
    and (:isPublic and i.visibility = 'public'
         or exists (select from image_wishes w where w.image_id = i.id and (w.host is null or w.host = :host)))`

interface Place {
  readonly host: string
  /** whether public images are wanted on every host */
  readonly isPublic: boolean
}

const digestOf = (column: string): string => `substring(${column} from '@([^@]*)$')`

/** References of images that are to be on the host and are not. */
export async function missingImages(db: Db, { host, isPublic }: Place): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { reference: string }[] }>(
    `select distinct reference from (${wanted}) w
     where ${digestOf('reference')} not in (select digest from host_images where host = :host) order by reference`,
    { host, isPublic },
  )
  return rows.map(({ reference }) => reference)
}

/** An image, and where it is and is to be. */
export interface ImagePlaces {
  readonly image: ImageRow
  /** that have it */
  readonly hosts: readonly string[]
  /** that it was wished for; null = all */
  readonly wishes: readonly (string | null)[]
}

/** Every image that has bytes, the newest last. */
export async function imagePlaces(db: Db): Promise<readonly ImagePlaces[]> {
  const images = await db('images').whereNot({ status: 'deleted' }).whereNotNull('reference').orderBy('createdAt')
  const [present, wishes] = await Promise.all([
    db('host_images').orderBy('host'),
    db('image_wishes').orderBy('createdAt'),
  ])
  const byDigest = Map.groupBy(present, ({ digest }) => digest)
  const byImage = Map.groupBy(wishes, ({ imageId }) => imageId)
  return images.map((image) => ({
    image,
    hosts: (byDigest.get(digestIn(image.reference ?? '')) ?? []).map(({ host }) => host),
    wishes: (byImage.get(image.id) ?? []).map(({ host }) => host),
  }))
}

const openMoves = `status in ('pre-migrating', 'migrating', 'post-migrating', 'finished', 'reverting')`

/** Servers and moves refer to what their guests are made of, or will be. */
const inUse = `
  select v.named from servers s cross join lateral (values (s.image_reference), (s.rescue_reference)) v (named)
  where s.deleted_at is null and (s.host = :host or s.id in (select server_id from allocations where host = :host))
  union all
  select v.named from server_migrations m cross join lateral (values (m.reference), (m.previous_reference)) v (named)
  where ${openMoves} and :host in (m.source_host, m.target_host)`

/**
 * Notes what the host needs now.
 *
 * @returns digests of images there that nothing has needed for so long
 */
export async function idleImages(
  db: Db,
  { host, isPublic, hours }: Place & { readonly hours: number },
): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { digest: string }[] }>(
    `with needed as (select ${digestOf('reference')} as digest from (${wanted} union all ${inUse}) n where reference is not null),
          noted as (update host_images set needed_at = now() where host = :host and digest in (select digest from needed))
     select digest from host_images
     where host = :host and digest not in (select digest from needed) and needed_at <= now() - make_interval(secs => :seconds)`,
    { host, isPublic, seconds: hours * 3600 },
  )
  return rows.map(({ digest }) => digest)
}

/** Digests of manifests that a row refers to, whatever host or registry it names. */
export async function referredDigests(db: Db): Promise<ReadonlySet<string>> {
  const { rows } = await db.raw<{ rows: { digest: string | null }[] }>(
    `select distinct ${digestOf('reference')} as digest from (
       select reference from images where status <> 'deleted'
       union all
       select v.named from servers s
         cross join lateral (values (s.image_reference), (s.rescue_reference)) v (named) where s.deleted_at is null
       union all
       select v.named from server_migrations m
         cross join lateral (values (m.reference), (m.previous_reference)) v (named) where ${openMoves}
     ) n (reference) where reference is not null`,
  )
  return new Set(rows.flatMap(({ digest }) => digest ?? []))
}

/** Ids of images that are there, or on their way: what their repositories hold beside what boots is theirs. */
export async function liveImageIds(db: Db): Promise<ReadonlySet<string>> {
  return new Set(await db('images').whereNot({ status: 'deleted' }).pluck('id'))
}

/** A manifest that nothing refers to. */
export interface Orphan {
  readonly repository: string
  readonly digest: string
}

/**
 * Notes what nothing refers to.
 *
 * @returns those among them that have been so for long enough
 */
export async function agedOrphans(db: Db, orphans: readonly Orphan[], hours: number): Promise<readonly Orphan[]> {
  const [repositories, digests] = [orphans.map((one) => one.repository), orphans.map((one) => one.digest)]
  const given = 'select * from unnest(:repositories::text[], :digests::text[])'
  await db.raw(`delete from registry_orphans where (repository, digest) not in (${given})`, { repositories, digests })
  await db.raw(`insert into registry_orphans (repository, digest) ${given} on conflict do nothing`, {
    repositories,
    digests,
  })
  const { rows } = await db.raw<{ rows: Orphan[] }>(
    `select repository, digest from registry_orphans where since <= now() - make_interval(secs => ?)`,
    [hours * 3600],
  )
  return rows
}

/** An image of too many layers that is this host's to flatten: of a server of its own, or left lying by others. */
export async function claimFlattening(
  db: Db,
  { host, budget }: { readonly host: string; readonly budget: number },
): Promise<(ImageRow & { readonly reference: string }) | null> {
  const { rows } = await db.raw<{ rows: (ImageRow & { reference: string })[] }>(
    `update images set flatten_begun_at = now() where id = (
       select i.id from images i left join servers s on s.id = i.server_id
       where i.status = 'active' and i.reference is not null and i.layers > :budget
         and coalesce(i.flatten_begun_at, '-infinity') < now() - interval '30 minutes'
         and (s.host = :host or i.updated_at < now() - interval '5 minutes')
       order by i.created_at limit 1 for update of i skip locked)
     returning *`,
    { host, budget },
  )
  return rows[0] ?? null
}

/** The image is the flat one from now on. @returns false when it changed or went meanwhile */
export async function finishFlattening(
  db: Db,
  { id, reference }: { readonly id: string; readonly reference: string },
  flat: { readonly reference: string; readonly sizeBytes: number; readonly layers: number },
): Promise<boolean> {
  const changed = await db('images')
    .where({ id, reference, status: 'active' })
    .update({
      ...flat,
      flattenedFrom: reference,
      properties: db.raw(`properties || jsonb_build_object('berth_flattened_from', ?::text)`, [reference]),
      updatedAt: db.fn.now(),
    })
  return changed > 0
}

/** What a server's guest is made of is the same files in other layers. @returns false when it changed meanwhile, or is at work */
export async function refer(
  db: Db,
  { serverId, from, to }: { readonly serverId: string; readonly from: string; readonly to: string },
): Promise<boolean> {
  const changed = await db('servers')
    .where({ id: serverId, imageReference: from })
    .whereNull('taskState')
    .whereNull('deletedAt')
    .update({ imageReference: to })
  return changed > 0
}
