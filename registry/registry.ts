/** An OCI registry, without a container engine. Source: OCI distribution spec 1.0. */
import { Agent, fetch, type Response } from 'undici'
import { z } from 'zod'
import type { Config } from '../core/config.ts'
import { Invalid, messageOf, Unavailable } from '../core/errors.ts'
import { mirrorAccesses, registryAccess, type RegistryAccess } from '../core/registry-access.ts'
import { Repository, type CallOptions, type RegistryClient } from './repository.ts'

const shortMs = 10_000
const catalogue = z.object({ repositories: z.array(z.string()) })
const repositoriesPerPage = 500

/** What a reference such as '127.0.0.1:5010/images/debian-12@sha256:...' is made of; null when it is none by digest. */
export function partsOf(
  reference: string,
): { readonly address: string; readonly name: string; readonly digest: string } | null {
  const [, address, name, digest] = /^([^/]+)\/(.+)@(sha256:[0-9a-f]{64})$/.exec(reference) ?? []
  return address === undefined || name === undefined || digest === undefined ? null : { address, name, digest }
}

export class Registry implements RegistryClient {
  readonly access: RegistryAccess
  readonly #agent: Agent
  readonly #authorization: string | null

  constructor(access: RegistryAccess) {
    this.access = access
    this.#agent = new Agent(access.ca === null ? {} : { connect: { ca: access.ca } })
    const { credentials } = access
    this.#authorization =
      credentials && `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`
  }

  get address(): string {
    return this.access.address
  }

  repository(name: string): Repository {
    return new Repository(this, name)
  }

  /**
   * The repository and the digest that a reference names. The address in it is only where the registry was when the image came: an image is
   * its digest, wherever the registry stands now.
   *
   * @throws Invalid
   */
  of(reference: string): { readonly repository: Repository; readonly digest: string } {
    const parts = partsOf(reference)
    if (!parts) throw new Invalid(`${reference} is no reference by digest.`)
    return { repository: this.repository(parts.name), digest: parts.digest }
  }

  /** Whether it answers, and takes our word for who we are. */
  async answers(timeoutMs: number): Promise<boolean> {
    try {
      return (await this.call('/v2/', { signal: AbortSignal.timeout(timeoutMs) })).ok
    } catch (error) {
      if (error instanceof Unavailable) return false
      throw error
    }
  }

  /** The names of all repositories. @throws Unavailable */
  async repositories(): Promise<readonly string[]> {
    const names: string[] = []
    for (;;) {
      const last = names.at(-1)
      const after = last === undefined ? '' : `&last=${encodeURIComponent(last)}`
      const response = await this.call(`/v2/_catalog?n=${repositoriesPerPage}${after}`, {})
      if (!response.ok) throw new Unavailable(`The registry does not tell its repositories: ${response.status}`)
      const { repositories } = catalogue.parse(await response.json())
      names.push(...repositories)
      if (repositories.length < repositoriesPerPage) return names
    }
  }

  /** @param path of this registry, or a URL that it gave */
  async call(path: string, options: CallOptions): Promise<Response> {
    const root = `${this.access.isSecure ? 'https' : 'http'}://${this.address}`
    const url = new URL(path, root)
    const isHere = url.host === new URL(root).host
    const headers = {
      ...options.headers,
      ...(this.#authorization && isHere ? { authorization: this.#authorization } : {}),
    }
    try {
      return await fetch(url, { signal: AbortSignal.timeout(shortMs), ...options, headers, dispatcher: this.#agent })
    } catch (error) {
      throw new Unavailable(`The registry does not answer at ${url.href}: ${messageOf(error)}`, { cause: error })
    }
  }
}

export function registryOf(config: Config): Registry {
  return new Registry(registryAccess(config))
}

export function mirrorsOf(config: Config): readonly Registry[] {
  return mirrorAccesses(config).map((access) => new Registry(access))
}
