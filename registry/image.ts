/** New images in a registry: one with another layer on top, or of one layer alone. */
import type { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { Digest, digestOfText } from './digest.ts'
import {
  architecture,
  asOci,
  configShape,
  configType,
  layerTypes,
  manifestShape,
  manifestText,
  manifestType,
  type ImageConfig,
  type Manifest,
} from './manifest.ts'
import type { Registry } from './registry.ts'
import type { Blob, Repository } from './repository.ts'

/** An image in the registry, read. */
export interface StoredImage {
  readonly repository: Repository
  readonly manifest: Manifest
  readonly config: ImageConfig
}

/** Reads what an image is made of. @throws Invalid when it is not in the registry, or is none that could boot */
export async function readImage(registry: Registry, reference: string): Promise<StoredImage> {
  const { repository, digest } = registry.of(reference)
  const manifest = manifestShape.parse(JSON.parse(await repository.manifest(digest)))
  const config = configShape.parse(JSON.parse(await repository.text(manifest.config.digest)))
  return { repository, manifest, config }
}

/** Of an image that bears no words of its own. */
export function plainConfig(): ImageConfig {
  return {
    architecture: architecture(),
    os: 'linux',
    config: { Cmd: ['/sbin/init'], Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  }
}

/** What a new image adds to its parent. */
export interface Change {
  /** an uncompressed tar archive */
  readonly archive: Readable
  /** whether the archive is all of the new image, or lies on the parent's layers */
  readonly isWhole: boolean
  /** what the layer's history says of its origin */
  readonly createdBy: string
  /** labels that the new image has beside its parent's; null takes one away */
  readonly labels: Readonly<Record<string, string | null>>
  /** absent = small: a layer that is read once and soon forgotten is not worth the time that packing takes */
  readonly packing?: 'tar'
  /** milliseconds of silence after which the registry is given up; absent = it has its time */
  readonly silenceMs?: number
}

function configWith({ config }: StoredImage, { isWhole, labels, createdBy }: Change, diffId: string): ImageConfig {
  const all = { ...config.config?.Labels, ...labels }
  const kept = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]))
  return {
    ...config,
    created: new Date().toISOString(),
    config: { ...config.config, Labels: Object.fromEntries(kept) },
    rootfs: { type: 'layers', diff_ids: isWhole ? [diffId] : [...config.rootfs.diff_ids, diffId] },
    history: [...(isWhole ? [] : (config.history ?? [])), { created: new Date().toISOString(), created_by: createdBy }],
  }
}

interface StoredLayer extends Blob {
  readonly mediaType: string
  /** the digest of the archive itself */
  readonly diffId: string
}

async function putLayer(target: Repository, { archive, packing, silenceMs }: Change): Promise<StoredLayer> {
  if (packing === 'tar') {
    const blob = await target.upload(archive, silenceMs)
    return { ...blob, diffId: blob.digest, mediaType: layerTypes.tar }
  }
  const plain = new Digest()
  const gzip = createGzip({ level: 1 })
  archive.once('error', (error) => gzip.destroy(error))
  const blob = await target.upload(archive.pipe(plain).pipe(gzip), silenceMs)
  return { ...blob, diffId: `sha256:${plain.hex()}`, mediaType: layerTypes.gzip }
}

/**
 * Puts a child of an image into the registry. The layers that it shares with its parent are not copied.
 *
 * @returns its reference by digest
 */
export async function putChild(parent: StoredImage, target: Repository, change: Change): Promise<string> {
  const { digest, size, diffId, mediaType } = await putLayer(target, change)
  const shared = change.isWhole ? [] : parent.manifest.layers.map(asOci)
  for (const layer of shared) await target.mount(layer.digest, parent.repository)
  const text = JSON.stringify(configWith(parent, change, diffId))
  const config = { mediaType: configType, ...(await target.putText(text)) }
  const manifest = manifestText(config, [...shared, { mediaType, digest, size }])
  // A tag of its own: a manifest without one is found by nobody who looks for what is left over.
  const tag = digestOfText(manifest).replace(':', '-')
  return target.referenceTo(await target.putManifest(tag, manifest, manifestType))
}
