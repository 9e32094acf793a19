/** Which images a host has: its agent tells. An image is known by its digest, whichever registry it came from. */
import type { Db } from './connect.ts'

/** The digest in a reference such as '127.0.0.1:5010/images/debian-12@sha256:...'; without one the reference itself. */
export function digestIn(reference: string): string {
  return reference.slice(reference.lastIndexOf('@') + 1)
}

/** The host has these images and no others. */
export async function reportImages(db: Db, host: string, references: readonly string[]): Promise<void> {
  const digests = [...new Set(references.map(digestIn))]
  await db.raw(
    `with gone as (delete from host_images where host = :host and digest <> all(:digests))
     insert into host_images (host, digest) select :host, unnest(:digests::text[]) on conflict do nothing`,
    { host, digests },
  )
}

/** The host has this image too. */
export async function reportImage(db: Db, host: string, reference: string): Promise<void> {
  await db('host_images')
    .insert({ host, digest: digestIn(reference) })
    .onConflict()
    .ignore()
}

/** The hosts that have an image. */
export async function hostsWithImage(db: Db, reference: string): Promise<readonly string[]> {
  return await db('host_images')
    .where({ digest: digestIn(reference) })
    .pluck('host')
}
