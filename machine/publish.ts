/** Guest images: built by recipe, put into the registry, and into the catalogue by digest. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '../db/connect.ts'
import { addImage } from '../db/images.ts'
import { build, flavours, type Flavour } from '../images/build.ts'
import { publish as push } from '../images/publish.ts'
import { imageCache } from './layout.ts'
import type { Site } from './parts/part.ts'
import type { Parts } from './services.ts'

async function publish(
  site: Site,
  parts: Parts,
  { db, flavour }: { readonly db: Db; readonly flavour: Flavour },
): Promise<void> {
  const image = await build(flavour, { directory: imageCache, logFile: join(site.layout.log, `image-${flavour}.log`) })
  const known = await db('images')
    .where({ name: flavour, status: 'active' })
    .whereRaw(`properties ->> 'berth_recipe' = ?`, [image.recipe])
    .first('id')
  if (known) return
  const reference = await push(image, { registry: parts.registry.where, name: `images/${flavour}` })
  const { size } = await stat(image.tarPath)
  await addImage(db, {
    name: flavour,
    reference,
    sizeBytes: size,
    properties: { os_distro: 'debian', os_version: '12', berth_recipe: image.recipe },
  })
}

/** Both flavours are in the registry and in the catalogue when this returns. The last of the older ones stays for servers made of it. */
export async function publishImages(site: Site, parts: Parts, db: Db): Promise<string> {
  for (const flavour of flavours) await publish(site, parts, { db, flavour })
  return flavours.join(', ')
}
