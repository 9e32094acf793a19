/** What images are made of, in a registry. Source: OCI image spec, manifest.md and config.md; Docker's image manifest 2.2. */
import { arch } from 'node:os'
import { z } from 'zod'

export const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const dockerManifestType = 'application/vnd.docker.distribution.manifest.v2+json'
export const manifestTypes = [manifestType, dockerManifestType] as const
export const configType = 'application/vnd.oci.image.config.v1+json'
export const layerTypes = {
  tar: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const
/** The config of an image whose bytes are kept as they came, and that nothing can boot. */
export const bytesType = 'application/vnd.berth.image.bytes.v1+json'

const descriptor = z.object({ mediaType: z.string(), digest: z.string(), size: z.number() })
export type Descriptor = z.output<typeof descriptor>

export const manifestShape = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptor,
  layers: z.array(descriptor),
})
export type Manifest = z.output<typeof manifestShape>

const settings = z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() })
export const configShape = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  config: settings.nullish(),
  rootfs: z.object({ type: z.string(), diff_ids: z.array(z.string()) }),
  history: z.array(z.looseObject({})).nullish(),
})
export type ImageConfig = z.output<typeof configShape>

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** This machine's, in the registry's words. */
export function architecture(): string {
  return architectures[arch()] ?? arch()
}

export function manifestText(config: Descriptor, layers: readonly Descriptor[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers })
}

/** Docker's names of layer types, in OCI's. */
export function asOci({ mediaType, ...layer }: Descriptor): Descriptor {
  const isGzip = mediaType.endsWith('gzip')
  const isDocker = mediaType.startsWith('application/vnd.docker.')
  return { ...layer, mediaType: isDocker ? (isGzip ? layerTypes.gzip : layerTypes.tar) : mediaType }
}
