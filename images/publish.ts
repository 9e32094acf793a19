/** Puts a built image into an OCI registry, without a container engine. Source: OCI distribution spec 1.0. */
import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { arch } from 'node:os'
import { Unavailable } from '../core/errors.ts'
import type { BuiltImage } from './build.ts'
import { layerOf, type Layer } from './layer.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const configType = 'application/vnd.oci.image.config.v1+json'
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip'
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const shortMs = 10_000
const uploadMs = 300_000

/** A repository of a registry, by its URL. */
class Repository {
  readonly #url: string

  constructor(registry: string, name: string) {
    this.#url = `http://${registry}/v2/${name}`
  }

  async #call(path: string, options: RequestInit, timeoutMs: number): Promise<Response> {
    const url = path.startsWith('http') ? path : `${this.#url}${path}`
    try {
      return await fetch(url, { ...options, signal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      throw new Unavailable(`The registry does not answer at ${url}.`, { cause: error })
    }
  }

  /** @returns the digest of a tag, or null when there is none */
  async digestOf(tag: string): Promise<string | null> {
    const response = await this.#call(
      `/manifests/${tag}`,
      { method: 'HEAD', headers: { accept: manifestType } },
      shortMs,
    )
    return response.ok ? response.headers.get('docker-content-digest') : null
  }

  async putBlob(digest: string, body: Blob): Promise<void> {
    const present = await this.#call(`/blobs/${digest}`, { method: 'HEAD' }, shortMs)
    if (present.ok) return
    const begun = await this.#call('/blobs/uploads/', { method: 'POST' }, shortMs)
    const location = begun.headers.get('location')
    if (begun.status !== 202 || location === null) throw await refusal('an upload', begun)
    const target = new URL(location, this.#url)
    target.searchParams.set('digest', digest)
    const headers = { 'content-type': 'application/octet-stream' }
    const sent = await this.#call(target.href, { method: 'PUT', headers, body }, uploadMs)
    if (sent.status !== 201) throw await refusal(`layer ${digest}`, sent)
  }

  /** @returns the digest of the manifest */
  async putManifest(tag: string, text: string): Promise<string> {
    const headers = { 'content-type': manifestType }
    const sent = await this.#call(`/manifests/${tag}`, { method: 'PUT', headers, body: text }, shortMs)
    if (sent.status !== 201) throw await refusal(`manifest ${tag}`, sent)
    return digestOfText(text)
  }
}

async function refusal(what: string, response: Response): Promise<Unavailable> {
  return new Unavailable(`The registry refused ${what}: ${response.status} ${await response.text()}`)
}

function digestOfText(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** What Docker is to know of the image. Without dates: the same layer is the same image. */
function configOf({ flavour, config }: BuiltImage, { diffId }: Layer): string {
  return JSON.stringify({
    architecture: architectures[arch()] ?? arch(),
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created_by: `berth images/${flavour}` }],
  })
}

function manifestOf(config: string, { digest, size }: Layer): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: configType, digest: digestOfText(config), size: Buffer.byteLength(config) },
    layers: [{ mediaType: layerType, digest, size }],
  })
}

/**
 * Puts an image into a registry under the tag of its recipe; one that is there is left.
 *
 * @param registry host:port
 * @param name     repository, such as 'images/debian-12'
 * @returns        the reference by digest, such as '127.0.0.1:5010/images/debian-12@sha256:...'
 * @throws         Unavailable when the registry does not answer, or refuses
 */
export async function publish(
  image: BuiltImage,
  { registry, name }: { readonly registry: string; readonly name: string },
): Promise<string> {
  const repository = new Repository(registry, name)
  const present = await repository.digestOf(image.recipe)
  if (present !== null) return `${registry}/${name}@${present}`
  const layer = await layerOf(image.tarPath)
  const config = configOf(image, layer)
  await repository.putBlob(layer.digest, await openAsBlob(layer.path))
  await repository.putBlob(digestOfText(config), new Blob([config]))
  return `${registry}/${name}@${await repository.putManifest(image.recipe, manifestOf(config, layer))}`
}
