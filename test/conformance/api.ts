/** The cloud's API, asked as its administrator: what costs a client's start of two seconds is asked here. */
import { z } from 'zod'
import type { TestCloud } from '../world/index.ts'

const requestTimeoutMs = 30_000
const serverList = z.object({
  servers: z.array(z.object({ name: z.string(), status: z.string(), 'OS-EXT-STS:task_state': z.string().nullable() })),
})

export class Api {
  readonly #url: string
  readonly #token: string

  private constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  static async open({ url, adminPassword: password }: TestCloud): Promise<Api> {
    const domain = { id: 'default' }
    const identity = { methods: ['password'], password: { user: { name: 'admin', domain, password } } }
    const response = await fetch(`${url}/identity/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity, scope: { project: { name: 'admin', domain } } } }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    })
    const token = response.headers.get('x-subject-token')
    if (token === null) throw new Error(`log-in at ${url}: ${response.status} ${await response.text()}`)
    return new Api(url, token)
  }

  /** @param path such as '/compute/v2.1/flavors' */
  async get<T>(schema: z.ZodType<T>, path: string): Promise<T> {
    const response = await fetch(`${this.#url}${path}`, {
      headers: { 'x-auth-token': this.#token },
      signal: AbortSignal.timeout(requestTimeoutMs),
    })
    // A list of versions is a 300: there is a choice.
    if (response.status >= 400) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`)
    return schema.parse(await response.json())
  }

  /** The status of a server that has no task; 'busy' while it has one, 'gone' when there is none of this name. */
  async statusOf(name: string): Promise<string> {
    const { servers } = await this.get(serverList, `/compute/v2.1/servers/detail?name=${encodeURIComponent(name)}`)
    const server = servers.find((one) => one.name === name)
    if (!server) return 'gone'
    return server['OS-EXT-STS:task_state'] === null ? server.status : 'busy'
  }
}
