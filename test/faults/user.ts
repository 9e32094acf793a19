/** A user of the cloud over plain HTTP: quick, and at ease with an API that dies in the middle of a request. */
import { z } from 'zod'
import { execa } from 'execa'
import { messageOf } from '../../core/errors.ts'
import { until, type TestCloud } from '../world/index.ts'

export type Change = 'create' | 'delete' | 'start' | 'stop' | 'reboot' | 'reboot-hard'

const server = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  'OS-EXT-STS:task_state': z.string().nullable(),
  addresses: z.record(z.string(), z.array(z.object({ addr: z.string() }))).default({}),
  fault: z.object({ message: z.string() }).optional(),
})
export type Seen = z.output<typeof server>

/** What a request came to: no status = no reply. */
export interface Reply {
  readonly status: number | null
  readonly text: string
}

const bodies = {
  start: { 'os-start': null },
  stop: { 'os-stop': null },
  reboot: { reboot: { type: 'SOFT' } },
  'reboot-hard': { reboot: { type: 'HARD' } },
} as const

const small = 'debian-12-small'
const systemd = 'debian-12'

interface ServerWish {
  readonly image?: typeof small | typeof systemd
  /** id of a flavor; absent = the smallest */
  readonly flavor?: string
  /** where it is to stand; absent = anywhere */
  readonly host?: string
}

export class User {
  readonly #cloud: TestCloud
  #token = ''
  #project = ''
  #ids: { readonly images: ReadonlyMap<string, string>; readonly flavor: string; readonly network: string } | null =
    null

  private constructor(cloud: TestCloud) {
    this.#cloud = cloud
  }

  /** With a key pair of the cloud's key, named 'faults'. */
  static async of(cloud: TestCloud): Promise<User> {
    const user = new User(cloud)
    await user.#logIn()
    const key = { name: 'faults', public_key: cloud.publicKey }
    await user.call('POST', '/compute/v2.1/os-keypairs', { body: { keypair: key } })
    user.#ids = {
      images: new Map([
        [small, await user.#idOf('/image/v2/images', 'images', small)],
        [systemd, await user.#idOf('/image/v2/images', 'images', systemd)],
      ]),
      flavor: await user.#idOf('/compute/v2.1/flavors', 'flavors', 'm1.nano'),
      network: await user.#idOf('/networking/v2.0/networks', 'networks', 'private'),
    }
    return user
  }

  async #logIn(): Promise<void> {
    const user = { name: 'admin', domain: { id: 'default' }, password: this.#cloud.adminPassword }
    const scope = { project: { name: 'admin', domain: { id: 'default' } } }
    const response = await fetch(`${this.#cloud.url}/identity/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
      signal: AbortSignal.timeout(20_000),
    })
    this.#token = response.headers.get('x-subject-token') ?? ''
    this.#project = z
      .object({ token: z.object({ project: z.object({ id: z.string() }) }) })
      .parse(await response.json()).token.project.id
  }

  async call(
    method: string,
    path: string,
    {
      body,
      headers = {},
      timeoutMs = 30_000,
    }: { body?: unknown; headers?: Record<string, string>; timeoutMs?: number } = {},
  ): Promise<Reply> {
    try {
      const response = await fetch(`${this.#cloud.url}${path}`, {
        method,
        headers: { 'x-auth-token': this.#token, 'content-type': 'application/json', connection: 'close', ...headers },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, text: await response.text() }
    } catch (error) {
      return { status: null, text: messageOf(error) }
    }
  }

  async #idOf(path: string, list: string, name: string): Promise<string> {
    const { text } = await this.call('GET', path)
    const rows = z.record(z.string(), z.unknown()).parse(JSON.parse(text))[list]
    const found = z.array(z.object({ id: z.string(), name: z.string() })).parse(rows)
    return found.find((one) => one.name === name)?.id ?? ''
  }

  /** The project may have so many servers, with all that belongs to them. */
  async allow(servers: number): Promise<void> {
    const quota = { instances: servers, cores: servers, ram: 128 * servers }
    const { status, text } = await this.call('PUT', `/compute/v2.1/os-quota-sets/${this.#project}`, {
      body: { quota_set: quota },
    })
    if (status !== 200) throw new Error(`quota: ${String(status)} ${text}`)
    await this.call('PUT', `/networking/v2.0/quotas/${this.#project}`, { body: { quota: { port: 4 * servers } } })
  }

  async create(
    name: string,
    headers: Record<string, string> = {},
    { image = small, flavor: wanted, host }: ServerWish = {},
  ): Promise<Reply> {
    const { images, flavor, network } = this.#ids ?? { images: new Map<string, string>(), flavor: '', network: '' }
    const body = {
      server: {
        name,
        imageRef: images.get(image),
        flavorRef: wanted ?? flavor,
        networks: [{ uuid: network }],
        key_name: 'faults',
        ...(host === undefined ? {} : { host }),
      },
    }
    const version = host === undefined ? {} : { 'openstack-api-version': 'compute 2.74' }
    return await this.call('POST', '/compute/v2.1/servers', { body, headers: { ...version, ...headers } })
  }

  async change(id: string, what: Exclude<Change, 'create'>): Promise<Reply> {
    if (what === 'delete') return await this.call('DELETE', `/compute/v2.1/servers/${id}`)
    return await this.call('POST', `/compute/v2.1/servers/${id}/action`, { body: bodies[what] })
  }

  /** Whether the API serves requests, and its database with it. */
  async answers(): Promise<boolean> {
    return (await this.call('GET', '/compute/v2.1/servers')).status === 200
  }

  /** null = not found. @throws when the API did not answer */
  async show(id: string): Promise<Seen | null> {
    const { status, text } = await this.call('GET', `/compute/v2.1/servers/${id}`)
    if (status === 404) return null
    if (status !== 200) throw new Error(`server ${id}: ${String(status)} ${text}`)
    return z.object({ server }).parse(JSON.parse(text)).server
  }

  async named(name: string): Promise<readonly Seen[]> {
    return (await this.list()).filter((one) => one.name === name)
  }

  async list(): Promise<readonly Seen[]> {
    const { status, text } = await this.call('GET', '/compute/v2.1/servers/detail?limit=1000')
    if (status !== 200) throw new Error(`servers: ${String(status)} ${text}`)
    return z.object({ servers: z.array(server) }).parse(JSON.parse(text)).servers
  }

  /** Waits until the server has no task and this status; 'gone' = not found. */
  async reaches(id: string, status: string, timeoutMs = 60_000): Promise<void> {
    await until(
      async () => {
        const seen = await this.show(id)
        if (seen?.status === 'ERROR' && seen['OS-EXT-STS:task_state'] === null && !['ERROR', 'gone'].includes(status))
          return { failed: seen }
        if (status === 'gone' ? seen === null : seen?.status === status && seen['OS-EXT-STS:task_state'] === null)
          return { failed: null }
        throw new Error(`server ${id} is ${seen?.status ?? 'gone'}, task ${String(seen?.['OS-EXT-STS:task_state'])}`)
      },
      { timeoutMs, what: `server ${id} to be ${status}` },
    ).then(({ failed }) => {
      if (failed) throw new Error(`server ${id} is in error: ${failed.fault?.message ?? 'no fault'}`)
    })
  }

  /** A server that is ACTIVE. @returns its id */
  async running(name: string, wish: ServerWish = {}): Promise<string> {
    const { status, text } = await this.create(name, {}, wish)
    if (status !== 202) throw new Error(`create: ${String(status)} ${text}`)
    const { id } = z.object({ server: z.object({ id: z.string() }) }).parse(JSON.parse(text)).server
    await this.reaches(id, 'ACTIVE', 120_000)
    return id
  }

  /** A command in the guest over ssh. @returns what it said, or null when nobody answered within three seconds */
  async ssh(address: string, command: string): Promise<string | null> {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR']
    const words = [...options, 'ConnectTimeout=3', 'BatchMode=yes'].flatMap((one) => ['-o', one])
    const said = await execa('ssh', ['-i', this.#cloud.sshKeyPath, ...words, `root@${address}`, command], {
      reject: false,
      timeout: 15_000,
      stdin: 'ignore',
    })
    return said.exitCode === 255 || said.exitCode === undefined ? null : said.stdout.trim()
  }
}

export function addressOf({ addresses }: Seen): string {
  return Object.values(addresses).flat()[0]?.addr ?? ''
}
