/** What the launcher says to its own cloud, as any client would: over HTTP. */
import { z } from 'zod'
import { identityUrl, publicUrl, type Config } from '../core/config.ts'
import { CloudError, messageOf, NotFound, Unavailable } from '../core/errors.ts'
import { reasonIn } from '../core/fault-text.ts'

const server = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  'OS-EXT-STS:task_state': z.string().nullable().default(null),
  addresses: z.record(z.string(), z.array(z.object({ addr: z.string() }))).default({}),
  fault: z.object({ message: z.string() }).optional(),
})
export type CloudServer = z.output<typeof server>

export interface WantedServer {
  readonly name: string
  readonly image: string
  readonly flavor: string
  readonly network: string
  /** name of a keypair */
  readonly key: string
}

const requestTimeoutMs = 30_000

/** @throws Unavailable when nothing answers there */
async function request(url: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...options, signal: AbortSignal.timeout(requestTimeoutMs) })
  } catch (error) {
    throw new Unavailable(`${new URL(url).origin} does not answer: ${messageOf(error)}; remedy: ./berth up`, {
      cause: error,
    })
  }
}

export class Cloud {
  readonly #url: string
  readonly #token: string

  private constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  /** Logs in as the administrator. */
  static async open(config: Config, password: string): Promise<Cloud> {
    const url = publicUrl(config)
    const user = { name: 'admin', domain: { id: 'default' }, password }
    const body = {
      auth: {
        identity: { methods: ['password'], password: { user } },
        scope: { project: { name: 'admin', domain: { id: 'default' } } },
      },
    }
    const response = await request(`${identityUrl(config)}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const token = response.headers.get('x-subject-token')
    if (response.status !== 201 || token === null)
      throw new Unavailable(`log-in at ${identityUrl(config)} failed: ${reasonIn(await response.text())}`)
    return new Cloud(url, token)
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await request(`${this.#url}${path}`, {
      method,
      headers: { 'x-auth-token': this.#token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new CloudError('unavailable', `${method} ${path}: ${response.status} ${reasonIn(text)}`)
    return text === '' ? null : JSON.parse(text)
  }

  async servers(): Promise<readonly CloudServer[]> {
    return z
      .object({ servers: z.array(server) })
      .parse(await this.#call('GET', '/compute/v2.1/servers/detail?all_tenants=1')).servers
  }

  /** A page of all servers, newest first. */
  async page(limit: number, marker?: string): Promise<readonly CloudServer[]> {
    const after = marker === undefined ? '' : `&marker=${marker}`
    const path = `/compute/v2.1/servers/detail?all_tenants=1&limit=${limit}${after}`
    return z.object({ servers: z.array(server) }).parse(await this.#call('GET', path)).servers
  }

  async server(id: string): Promise<CloudServer> {
    return z.object({ server }).parse(await this.#call('GET', `/compute/v2.1/servers/${id}`)).server
  }

  /** @throws NotFound */
  async serverNamed(name: string): Promise<CloudServer> {
    const found = (await this.servers()).find((one) => one.name === name || one.id === name)
    if (!found) throw new NotFound('Instance', name)
    return found
  }

  /** The network of a server's first NIC, whose address is its first; null when it has none. */
  async networkOf(serverId: string): Promise<string | null> {
    const list = z.object({ ports: z.array(z.object({ network_id: z.string() })) })
    const { ports } = list.parse(await this.#call('GET', `/networking/v2.0/ports?device_id=${serverId}`))
    return ports[0]?.network_id ?? null
  }

  async ensureKeypair(name: string, publicKey: string): Promise<void> {
    const list = z.object({ keypairs: z.array(z.object({ keypair: z.object({ name: z.string() }) })) })
    const { keypairs } = list.parse(await this.#call('GET', '/compute/v2.1/os-keypairs'))
    if (keypairs.some(({ keypair }) => keypair.name === name)) return
    await this.#call('POST', '/compute/v2.1/os-keypairs', { keypair: { name, public_key: publicKey } })
  }

  async imageId(name: string): Promise<string> {
    const { images } = z
      .object({ images: z.array(z.object({ id: z.string() })) })
      .parse(await this.#call('GET', `/image/v2/images?name=${encodeURIComponent(name)}`))
    const [first] = images
    if (!first) throw new NotFound('Image', name)
    return first.id
  }

  async flavorId(name: string): Promise<string> {
    const shape = z.object({ flavors: z.array(z.object({ id: z.string(), name: z.string() })) })
    const found = shape.parse(await this.#call('GET', '/compute/v2.1/flavors')).flavors.find((one) => one.name === name)
    if (!found) throw new NotFound('Flavor', name)
    return found.id
  }

  async networkId(name: string): Promise<string> {
    const shape = z.object({ networks: z.array(z.object({ id: z.string() })) })
    const [first] = shape.parse(
      await this.#call('GET', `/networking/v2.0/networks?name=${encodeURIComponent(name)}`),
    ).networks
    if (!first) throw new NotFound('Network', name)
    return first.id
  }

  /** All but the key by name. @returns the id */
  async createServer(wanted: WantedServer): Promise<string> {
    const [image, flavor, network] = await Promise.all([
      this.imageId(wanted.image),
      this.flavorId(wanted.flavor),
      this.networkId(wanted.network),
    ])
    return await this.createServerOf({ ...wanted, image, flavor, network })
  }

  /** The same by ids. */
  async createServerOf({ name, image, flavor, network, key }: WantedServer): Promise<string> {
    const body = { server: { name, imageRef: image, flavorRef: flavor, networks: [{ uuid: network }], key_name: key } }
    const made = await this.#call('POST', '/compute/v2.1/servers', body)
    return z.object({ server: z.object({ id: z.string() }) }).parse(made).server.id
  }

  async deleteServer(id: string): Promise<void> {
    await this.#call('DELETE', `/compute/v2.1/servers/${id}`)
  }

  async start(id: string): Promise<void> {
    await this.act(id, { 'os-start': null })
  }

  /** One of a server's actions, such as `{ migrate: null }`. */
  async act(id: string, action: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#call('POST', `/compute/v2.1/servers/${id}/action`, action)
  }
}

/** The first address of a server. @throws Unavailable when it has none */
export function addressOf({ name, addresses }: CloudServer): string {
  const first = Object.values(addresses).flat()[0]?.addr
  if (first === undefined) throw new Unavailable(`server ${name} has no address`)
  return first
}
