/** A cloud over HTTP, as its administrator or another user sees it. */
import { Readable } from 'node:stream'
import { z } from 'zod'
import { CloudError, messageOf, Unavailable } from '../core/errors.ts'
import type { ClientSettings } from '../core/client-settings.ts'
import { reasonIn } from '../core/fault-text.ts'

const usualMs = 60_000
/** The most that the bytes of an image may take. */
const transferMs = 3_600_000
const catalogue = z.object({
  token: z.object({
    catalog: z.array(
      z.object({ type: z.string(), endpoints: z.array(z.object({ interface: z.string(), url: z.string() })) }),
    ),
  }),
})

/** Where the cloud is, as an identity service that is not the cloud's own tells. @throws Unavailable when it does not */
function rootIn(body: unknown, authUrl: string): string {
  const { catalog } = catalogue.parse(body).token
  const compute = catalog.find(({ type }) => type === 'compute')?.endpoints.find((one) => one.interface === 'public')
  if (!compute) throw new Unavailable(`The catalogue of ${authUrl} names no public endpoint of compute.`)
  return compute.url.replace(/\/compute(\/v2(\.1)?)?\/?$/, '')
}

export interface Asked<T> {
  readonly shape: z.ZodType<T>
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  /** of the compute API, such as '2.88'; none = its first */
  readonly microversion?: string
  readonly timeoutMs?: number
  /** statuses beyond 2xx whose body is an answer, not a fault */
  readonly alsoGood?: readonly number[]
}

/** @throws Unavailable when nothing answers there */
async function call(url: string | URL, options: RequestInit): Promise<Response> {
  try {
    return await fetch(url, options)
  } catch (error) {
    const { origin } = new URL(url)
    throw new Unavailable(`${origin} does not answer: ${messageOf(error)}; is the cloud up? (./berth status)`, {
      cause: error,
    })
  }
}

function kindOf(status: number): CloudError['kind'] {
  if (status >= 500) return 'unavailable'
  return status === 404 ? 'not-found' : 'invalid'
}

export class Client {
  readonly #root: string
  readonly #token: string

  private constructor(root: string, token: string) {
    this.#root = root
    this.#token = token
  }

  /** Logs in. @throws Unavailable with what the identity service said */
  static async open({ authUrl, username, password, project }: ClientSettings): Promise<Client> {
    const domain = { id: 'default' }
    const identity = { methods: ['password'], password: { user: { name: username, domain, password } } }
    const response = await call(`${authUrl}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity, scope: { project: { name: project, domain } } } }),
      signal: AbortSignal.timeout(usualMs),
    })
    const token = response.headers.get('x-subject-token')
    if (token === null) throw new Unavailable(`log-in at ${authUrl} failed: ${reasonIn(await response.text())}`)
    const own = /^(.*)\/identity\/v3\/?$/.exec(authUrl)?.[1]
    return new Client(own ?? rootIn(await response.json(), authUrl), token)
  }

  /** @throws CloudError with the service's own sentence */
  async ask<T>(
    path: string,
    { shape, method = 'GET', query = {}, body, microversion, alsoGood = [], timeoutMs = usualMs }: Asked<T>,
  ): Promise<T> {
    const url = new URL(`${this.#root}${path}`)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
    const response = await call(url, {
      method,
      headers: {
        'x-auth-token': this.#token,
        'content-type': 'application/json',
        ...(microversion === undefined ? {} : { 'openstack-api-version': `compute ${microversion}` }),
      },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.ok) return shape.parse(text === '' ? null : JSON.parse(text))
    const verdict = alsoGood.includes(response.status) ? shape.safeParse(JSON.parse(text)) : null
    if (verdict?.success === true) return verdict.data
    throw new CloudError(kindOf(response.status), reasonIn(text))
  }

  /** The bytes of an answer, as they come. @throws CloudError */
  async download(path: string): Promise<Readable> {
    const response = await call(`${this.#root}${path}`, {
      headers: { 'x-auth-token': this.#token },
      signal: AbortSignal.timeout(transferMs),
    })
    if (!response.ok || response.body === null) throw new CloudError('unavailable', reasonIn(await response.text()))
    return Readable.fromWeb(response.body)
  }

  /** Bytes, as they come. @throws CloudError */
  async upload(path: string, bytes: Readable): Promise<void> {
    const response = await call(`${this.#root}${path}`, {
      method: 'PUT',
      headers: { 'x-auth-token': this.#token, 'content-type': 'application/octet-stream' },
      signal: AbortSignal.timeout(transferMs),
      // Node's types of web streams are not the DOM's.
      body: bytes,
      duplex: 'half',
    })
    if (!response.ok) throw new CloudError('unavailable', reasonIn(await response.text()))
  }
}
