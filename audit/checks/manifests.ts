import { imageReferences } from '../../db/drift.ts'
import { registryOf } from '../../registry/registry.ts'
import type { Check } from '../check.ts'

/** Asked side by side, so that an audit of a thousand images takes seconds. */
const atOnce = 16

export const manifests: Check = {
  name: 'manifests',
  holds: 'the manifest that an image refers to is in the registry',
  async run({ config, db }) {
    const registry = registryOf(config)
    const left = [...(await imageReferences(db))]
    const lacking: { readonly text: string; readonly advice: string }[] = []
    const look = async (): Promise<void> => {
      for (let image = left.shift(); image !== undefined; image = left.shift()) {
        const { repository, digest } = registry.of(image.reference)
        if (await repository.hasManifest(digest)) continue
        lacking.push({
          text: `image ${image.imageId} (${image.name}) refers to ${repository.name}@${digest}, which the registry has not`,
          advice: 'servers cannot be made of it where it is not yet: upload or import it again, or delete the image',
        })
      }
    }
    await Promise.all(Array.from({ length: atOnce }, look))
    return lacking
  },
}
