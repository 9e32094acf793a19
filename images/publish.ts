/** Puts a built image into an OCI registry, without a container engine. */
import { createReadStream } from 'node:fs'
import { digestOfText } from '../registry/digest.ts'
import { architecture, configType, layerTypes, manifestText, manifestType } from '../registry/manifest.ts'
import type { Registry } from '../registry/registry.ts'
import type { BuiltImage } from './build.ts'
import { layerOf, type Layer } from './layer.ts'

/** What Docker is to know of the image. Without dates: the same layer is the same image. */
function configOf({ name, config }: BuiltImage, { diffId }: Layer): string {
  return JSON.stringify({
    architecture: architecture(),
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created_by: `berth images/${name}` }],
  })
}

function manifestOf(config: string, { digest, size }: Layer): string {
  const described = { mediaType: configType, digest: digestOfText(config), size: Buffer.byteLength(config) }
  return manifestText(described, [{ mediaType: layerTypes.gzip, digest, size }])
}

/**
 * Puts an image into a registry under the tag of its recipe; one that is there is left.
 *
 * @param name     repository, such as 'images/debian-12'
 * @returns        the reference by digest, such as '127.0.0.1:5010/images/debian-12@sha256:...'
 * @throws         Unavailable when the registry does not answer, or refuses
 */
export async function publish(
  image: BuiltImage,
  { registry, name }: { readonly registry: Registry; readonly name: string },
): Promise<string> {
  const repository = registry.repository(name)
  const present = await repository.digestOf(image.recipe)
  if (present !== null) return repository.referenceTo(present)
  const layer = await layerOf(image.tarPath)
  const config = configOf(image, layer)
  if (!(await repository.has(layer.digest))) await repository.upload(createReadStream(layer.path))
  await repository.putText(config)
  const text = manifestOf(config, layer)
  return repository.referenceTo(await repository.putManifest(image.recipe, text, manifestType))
}
