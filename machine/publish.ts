/** Guest images: built by recipe, put into the registry, and into the catalogue by digest. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '../db/connect.ts'
import { messageOf } from '../core/errors.ts'
import { addImage } from '../db/images.ts'
import { whileWriting } from '../db/registry-writers.ts'
import { build, imageNames, type BuiltImage, type ImageName } from '../images/build.ts'
import { publish as push } from '../images/publish.ts'
import type { Registry } from '../registry/registry.ts'
import { imageCache } from './layout.ts'
import type { Site } from './parts/part.ts'

/** What is known of a guest image when all that were being built are built, or were not. */
export type Built = Readonly<{ name: ImageName } & ({ image: BuiltImage } | { error: unknown })>

/** All images side by side; those that were built by the same recipe are only found. Never rejects. */
export async function buildImages({ layout }: Site): Promise<readonly Built[]> {
  return await Promise.all(
    imageNames.map(async (name) => {
      try {
        const logFile = join(layout.log, `image-${name}.log`)
        return { name, image: await build(name, { directory: imageCache, logFile }) }
      } catch (error) {
        return { name, error }
      }
    }),
  )
}

async function publish(registry: Registry, db: Db, image: BuiltImage): Promise<void> {
  const { name } = image
  const known = await db('images')
    .where({ name, status: 'active' })
    .whereRaw(`properties ->> 'berth_recipe' = ?`, [image.recipe])
    .first('id')
  if (known) return
  await whileWriting(db, () => put(registry, db, image))
}

async function put(registry: Registry, db: Db, image: BuiltImage): Promise<void> {
  const { name } = image
  const reference = await push(image, { registry, name: `images/${name}` })
  const { size } = await stat(image.tarPath)
  await addImage(db, {
    name,
    reference,
    sizeBytes: size,
    properties: { os_distro: 'debian', os_version: '12', berth_recipe: image.recipe },
  })
}

/**
 * The images are in the registry and in the catalogue when this returns. The last of the older ones stays for servers made of it, and is
 * the one where no newer could be built: a cloud that has one is not kept down by a Debian mirror that does not answer.
 */
export async function publishImages(registry: Registry, db: Db, images: readonly Built[]): Promise<string> {
  const notes: string[] = []
  for (const one of images) {
    if ('image' in one) {
      await publish(registry, db, one.image)
      notes.push(one.name)
      continue
    }
    if (!(await db('images').where({ name: one.name, status: 'active', visibility: 'public' }).first('id')))
      throw one.error
    notes.push(`${one.name} as it was (${messageOf(one.error)})`)
  }
  return notes.join(', ')
}
