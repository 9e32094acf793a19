/** One repository of a registry. Source: OCI distribution spec 1.0. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { RequestInit, Response } from 'undici'
import { z } from 'zod'
import { Invalid, Unavailable } from '../core/errors.ts'
import type { RegistryAccess } from '../core/registry-access.ts'
import { Digest, digestOfText } from './digest.ts'
import { manifestTypes } from './manifest.ts'

/** The most that one blob may take, up or down: silence ends it much earlier. */
const transferMs = 3_600_000
const flowPollMs = 500
/** At the end it makes sure that what it took is on its disk. */
const storedBytesPerMs = 20_000

export type CallOptions = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }

/** The registry that a repository is in. */
export interface RegistryClient {
  readonly access: RegistryAccess
  /** @param path of this registry, or a URL that it gave. @throws Unavailable when it does not answer */
  call(path: string, options: CallOptions): Promise<Response>
}

/** Bytes in a registry. */
export interface Blob {
  /** sha256:... */
  readonly digest: string
  readonly size: number
}

const tagList = z.object({ tags: z.array(z.string()).nullish() })

async function refusal(what: string, response: Response): Promise<Unavailable> {
  return new Unavailable(`The registry refused ${what}: ${response.status} ${await response.text()}`)
}

function storingMs(bytes: number, silenceMs: number): number {
  return Math.ceil(silenceMs + bytes / storedBytesPerMs)
}

/** Calls when nothing has gone through for so long, whether because nobody takes it or because nobody answers at the end. */
function watchFlow(flow: Digest, silenceMs: number, onSilence: () => void): NodeJS.Timeout {
  let [size, since] = [flow.size, performance.now()]
  return setInterval(() => {
    if (flow.size !== size) [size, since] = [flow.size, performance.now()]
    else if (performance.now() - since > storingMs(size, silenceMs)) onSilence()
  }, flowPollMs)
}

/** Bytes that are not those of their name are none. */
function checked(digest: string, text: string): string {
  if (digestOfText(text) !== digest) throw new Unavailable(`The registry gave other bytes than those of ${digest}.`)
  return text
}

export class Repository {
  readonly registry: RegistryClient
  /** such as 'images/debian-12' */
  readonly name: string

  constructor(registry: RegistryClient, name: string) {
    this.registry = registry
    this.name = name
  }

  referenceTo(digest: string): string {
    return `${this.registry.access.address}/${this.name}@${digest}`
  }

  /** @returns the digest of a tag, or null when there is none */
  async digestOf(tag: string): Promise<string | null> {
    const response = await this.#call(`/manifests/${tag}`, {
      method: 'HEAD',
      headers: { accept: manifestTypes.join(', ') },
    })
    return response.ok ? response.headers.get('docker-content-digest') : null
  }

  /** @throws Unavailable when the registry does not say */
  async hasManifest(digest: string): Promise<boolean> {
    const headers = { accept: manifestTypes.join(', ') }
    const response = await this.#call(`/manifests/${digest}`, { method: 'HEAD', headers })
    if (!response.ok && response.status !== 404)
      throw await refusal(`to say whether it has manifest ${digest}`, response)
    return response.ok
  }

  /** The text of a manifest. @throws Invalid when there is none */
  async manifest(digest: string): Promise<string> {
    const response = await this.#call(`/manifests/${digest}`, { headers: { accept: manifestTypes.join(', ') } })
    if (response.status === 404) throw new Invalid(`Image ${this.referenceTo(digest)} is not in the registry.`)
    if (!response.ok) throw await refusal(`to give manifest ${digest}`, response)
    return checked(digest, await response.text())
  }

  async tags(): Promise<readonly string[]> {
    const response = await this.#call('/tags/list', {})
    if (response.status === 404) return []
    if (!response.ok) throw await refusal(`to tell the tags of ${this.name}`, response)
    return tagList.parse(await response.json()).tags ?? []
  }

  /** The manifest is no more, nor the tags that named it; its blobs go with the registry's next sweep. Removing what is missing succeeds. */
  async remove(digest: string): Promise<void> {
    const response = await this.#call(`/manifests/${digest}`, { method: 'DELETE' })
    if (!response.ok && response.status !== 404) throw await refusal(`to remove manifest ${digest}`, response)
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

  /**
   * Streams bytes whose digest is known only at the end.
   *
   * @param silenceMs so long may nothing go through, beside the time to store it
   */
  async upload(bytes: Readable, silenceMs = transferMs): Promise<Blob> {
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
    const watching = watchFlow(digest, silenceMs, () => {
      const silent = new Unavailable(`The registry took nothing for more than ${silenceMs / 1000} s.`)
      cancel.abort(silent)
      bytes.destroy(silent)
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
    clearInterval(watching)
    if (read.status === 'rejected') throw read.reason
    if (sent.status === 'rejected') throw sent.reason
    const next = sent.value.headers.get('location')
    if (sent.value.status !== 202 || next === null) throw await refusal('bytes', sent.value)
    return await this.#finish(next, { digest: `sha256:${digest.hex()}`, size: digest.size }, silenceMs)
  }

  async #finish(location: string, blob: Blob, silenceMs: number): Promise<Blob> {
    const joint = location.includes('?') ? '&' : '?'
    const target = `${location}${joint}digest=${encodeURIComponent(blob.digest)}`
    const ended = await this.registry.call(target, {
      method: 'PUT',
      signal: AbortSignal.timeout(storingMs(blob.size, silenceMs)),
    })
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
    return checked(digest, await response.text())
  }

  #path(): string {
    return `/v2/${this.name}`
  }

  async #call(path: string, options: CallOptions): Promise<Response> {
    return await this.registry.call(path.startsWith('http') ? path : `${this.#path()}${path}`, options)
  }
}
