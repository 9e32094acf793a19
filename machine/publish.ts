/** Guest images: built by recipe, put into the registry, and into the catalogue by digest. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '../db/connect.ts'
import { addImage } from '../db/images.ts'
import { whileWriting } from '../db/registry-writers.ts'
import { build, imageNames, type BuiltImage } from '../images/build.ts'
import { publish as push } from '../images/publish.ts'
import { Registry } from '../registry/registry.ts'
import { imageCache } from './layout.ts'
import type { Site } from './parts/part.ts'
import type { Parts } from './services.ts'

/** All images side by side; those that were built by the same recipe are only found. */
export async function buildImages({ layout }: Site): Promise<readonly BuiltImage[]> {
  return await Promise.all(
    imageNames.map((name) => build(name, { directory: imageCache, logFile: join(layout.log, `image-${name}.log`) })),
  )
}

async function publish(parts: Parts, db: Db, image: BuiltImage): Promise<void> {
  const { name } = image
  const known = await db('images')
    .where({ name, status: 'active' })
    .whereRaw(`properties ->> 'berth_recipe' = ?`, [image.recipe])
    .first('id')
  if (known) return
  await whileWriting(db, () => put(parts, db, image))
}

async function put(parts: Parts, db: Db, image: BuiltImage): Promise<void> {
  const { name } = image
  const reference = await push(image, { registry: new Registry(parts.registry.access), name: `images/${name}` })
  const { size } = await stat(image.tarPath)
  await addImage(db, {
    name,
    reference,
    sizeBytes: size,
    properties: { os_distro: 'debian', os_version: '12', berth_recipe: image.recipe },
  })
}

/** The images are in the registry and in the catalogue when this returns. The last of the older ones stays for servers made of it. */
export async function publishImages(parts: Parts, db: Db, images: readonly BuiltImage[]): Promise<string> {
  for (const image of images) await publish(parts, db, image)
  return images.map(({ name }) => name).join(', ')
}
