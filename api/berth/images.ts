/** Where images are, where they are to be, and what nobody needs. */
import { z } from 'zod'
import { Invalid, messageOf, NotFound } from '../../core/errors.ts'
import { imageSweep } from '../../core/image-sweep.ts'
import { digestIn } from '../../db/host-images.ts'
import { hostStatuses } from '../../db/host-status.ts'
import { hostNames } from '../../db/host-names.ts'
import { forgetWishes, imagePlaces, wishImage, type ImagePlaces } from '../../db/image-care.ts'
import { archiveOf, archiveSize } from '../../registry/archive.ts'
import { parseBody } from '../body.ts'
import { askAgent } from '../compute/ask-agent.ts'
import { imageOf } from '../image/find.ts'
import type { Call, Reply } from '../route.ts'

/** Pulls and sweeps of a busy host take long. */
const sweepMs = 600_000

function view({ image, hosts, wishes }: ImagePlaces): unknown {
  const { id, name, status, visibility, sizeBytes, layers, reference } = image
  return {
    id,
    name,
    status,
    visibility,
    size: sizeBytes,
    layers,
    digest: reference === null ? null : digestIn(reference),
    flattened_from: image.flattenedFrom === null ? null : digestIn(image.flattenedFrom),
    hosts,
    /** hosts that it was wished for by name; '*' = all */
    wished: wishes.map((host) => host ?? '*'),
  }
}

export async function index({ db }: Call): Promise<Reply> {
  return { status: 200, body: { images: (await imagePlaces(db)).map(view) } }
}

const wish = z.strictObject({ hosts: z.array(z.string()).min(1).nullable().default(null) })

/** The image is brought to these hosts, or all; each tells when it has it. */
export async function cache(call: Call): Promise<Reply> {
  const { db } = call
  const image = await imageOf(call)
  if (image.status !== 'active' || image.reference === null)
    throw new Invalid(`Image ${image.id} is ${image.status}: it has no bytes to bring.`)
  const { hosts } = parseBody(wish, call.body ?? {})
  const known = await hostNames(db)
  const unknown = hosts?.find((host) => !known.includes(host))
  if (unknown !== undefined) throw new NotFound('Compute host', unknown)
  await wishImage(db, image.id, hosts)
  return { status: 202 }
}

export async function forget(call: Call): Promise<Reply> {
  await forgetWishes(call.db, (await imageOf(call)).id)
  return { status: 204 }
}

const sweepBody = z.strictObject({ dry_run: z.boolean().default(false) })

/** Every host that is up is asked; one that does not answer is told with its reason. */
export async function sweep({ db, body }: Call): Promise<Reply> {
  const { dry_run: isDry } = parseBody(sweepBody, body ?? {})
  const names = await hostNames(db)
  const statuses = await hostStatuses(db, names)
  const hosts: unknown[] = []
  for (const host of names.filter((name) => ['UP', 'MAINTENANCE'].includes(statuses.get(name) ?? ''))) {
    try {
      const path = `/images/sweep?dry_run=${isDry}`
      const text = await askAgent(db, host, { path, what: `Images of ${host}`, timeoutMs: sweepMs })
      hosts.push({ host, ...imageSweep.parse(JSON.parse(text)), error: null })
    } catch (error) {
      hosts.push({ host, images: null, registry: null, error: messageOf(error) })
    }
  }
  return { status: 200, body: { dry_run: isDry, hosts } }
}

/** As one file, which skopeo and this cloud take: of one layout, however the image came. */
export async function archive(call: Call): Promise<Reply> {
  const { id, reference, status } = await imageOf(call)
  if (reference === null || (status !== 'active' && !call.caller.isAdmin))
    throw new Invalid(`Image ${id} is ${status}: it has no bytes.`)
  const size = String(await archiveSize(call.registry, reference))
  const headers = { 'Content-Type': 'application/x-tar', 'Content-Length': size }
  return { status: 200, headers, body: await archiveOf(call.registry, reference) }
}
