/** One repository of an OCI registry, without a container engine. Source: OCI distribution spec 1.0. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Invalid, messageOf, Unavailable } from '../core/errors.ts'
import { Digest, digestOfText } from './digest.ts'
import { manifestTypes } from './manifest.ts'

const shortMs = 10_000
/** The most that one blob may take, up or down: silence ends it much earlier. */
const transferMs = 3_600_000

/** Bytes in a registry. */
export interface Blob {
  /** sha256:... */
  readonly digest: string
  readonly size: number
}

async function refusal(what: string, response: Response): Promise<Unavailable> {
  return new Unavailable(`The registry refused ${what}: ${response.status} ${await response.text()}`)
}

export class Repository {
  /** host:port */
  readonly registry: string
  /** such as 'images/debian-12' */
  readonly name: string

  constructor(registry: string, name: string) {
    this.registry = registry
    this.name = name
  }

  /** The repository and the digest that a reference such as '127.0.0.1:5010/images/debian-12@sha256:...' names. @throws Invalid */
  static of(reference: string): { readonly repository: Repository; readonly digest: string } {
    const [, registry, name, digest] = /^([^/]+)\/(.+)@(sha256:[0-9a-f]{64})$/.exec(reference) ?? []
    if (registry === undefined || name === undefined || digest === undefined)
      throw new Invalid(`${reference} is no reference by digest.`)
    return { repository: new Repository(registry, name), digest }
  }

  referenceTo(digest: string): string {
    return `${this.registry}/${this.name}@${digest}`
  }

  /** @returns the digest of a tag, or null when there is none */
  async digestOf(tag: string): Promise<string | null> {
    const response = await this.#call(`/manifests/${tag}`, {
      method: 'HEAD',
      headers: { accept: manifestTypes.join(', ') },
    })
    return response.ok ? response.headers.get('docker-content-digest') : null
  }

  /** The text of a manifest. @throws Invalid when there is none */
  async manifest(digest: string): Promise<string> {
    const response = await this.#call(`/manifests/${digest}`, { headers: { accept: manifestTypes.join(', ') } })
    if (response.status === 404) throw new Invalid(`Image ${this.referenceTo(digest)} is not in the registry.`)
    if (!response.ok) throw await refusal(`to give manifest ${digest}`, response)
    return await response.text()
  }

  /** @returns the digest of the manifest */
  async putManifest(tag: string, text: string, type: (typeof manifestTypes)[number]): Promise<string> {
    const headers = { 'content-type': type }
    const sent = await this.#call(`/manifests/${tag}`, { method: 'PUT', headers, body: text })
    if (sent.status !== 201) throw await refusal(`manifest ${tag}`, sent)
    return digestOfText(text)
  }

  async putText(text: string): Promise<Blob> {
    return await this.upload(Readable.from([Buffer.from(text)]))
  }

  /** Streams bytes whose digest is known only at the end. */
  async upload(bytes: Readable): Promise<Blob> {
    const begun = await this.#call('/blobs/uploads/', { method: 'POST' })
    const location = begun.headers.get('location')
    if (begun.status !== 202 || location === null) throw await refusal('an upload', begun)
    const digest = new Digest()
    const headers = { 'content-type': 'application/octet-stream' }
    const cancel = new AbortController()
    const signal = AbortSignal.any([cancel.signal, AbortSignal.timeout(transferMs)])
    const reading = pipeline(bytes, digest, { end: true }).catch((error: unknown) => {
      cancel.abort(error)
      throw error
    })
    const sending = this.#call(location, {
      method: 'PATCH',
      headers,
      // Node's types of web streams are not the DOM's.
      body: digest,
      duplex: 'half',
      signal,
    })
    const [read, sent] = await Promise.allSettled([reading, sending])
    if (read.status === 'rejected') throw read.reason
    if (sent.status === 'rejected') throw sent.reason
    const next = sent.value.headers.get('location')
    if (sent.value.status !== 202 || next === null) throw await refusal('bytes', sent.value)
    return await this.#finish(next, { digest: `sha256:${digest.hex()}`, size: digest.size })
  }

  async #finish(location: string, blob: Blob): Promise<Blob> {
    const target = new URL(location, this.#url())
    target.searchParams.set('digest', blob.digest)
    const ended = await this.#call(target.href, { method: 'PUT', signal: AbortSignal.timeout(transferMs) })
    if (ended.status !== 201) throw await refusal(`blob ${blob.digest}`, ended)
    return blob
  }

  /** A blob of another repository is one of this too, without its bytes moving. */
  async mount(digest: string, from: Repository): Promise<void> {
    if (await this.has(digest)) return
    const query = new URLSearchParams({ mount: digest, from: from.name })
    const response = await this.#call(`/blobs/uploads/?${query.toString()}`, { method: 'POST' })
    if (response.status !== 201) throw await refusal(`blob ${digest} of ${from.name}`, response)
  }

  async has(digest: string): Promise<boolean> {
    return (await this.#call(`/blobs/${digest}`, { method: 'HEAD' })).ok
  }

  /** The bytes of a blob, as they come. @throws Unavailable when they are not there */
  async blob(digest: string): Promise<Readable> {
    const response = await this.#call(`/blobs/${digest}`, { signal: AbortSignal.timeout(transferMs) })
    if (!response.ok || response.body === null) throw await refusal(`to give blob ${digest}`, response)
    return Readable.fromWeb(response.body)
  }

  async text(digest: string): Promise<string> {
    const response = await this.#call(`/blobs/${digest}`, {})
    if (!response.ok) throw await refusal(`to give blob ${digest}`, response)
    return await response.text()
  }

  #url(): string {
    return `http://${this.registry}/v2/${this.name}`
  }

  async #call(path: string, options: RequestInit): Promise<Response> {
    const url = path.startsWith('http') ? path : `${this.#url()}${path}`
    try {
      return await fetch(url, { signal: AbortSignal.timeout(shortMs), ...options })
    } catch (error) {
      throw new Unavailable(`The registry does not answer at ${url}: ${messageOf(error)}`, { cause: error })
    }
  }
}
