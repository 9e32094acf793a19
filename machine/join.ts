/** `./berth agent join`: this machine becomes a host of a cloud that is elsewhere. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join as pathOf } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'
import { configFile, loadConfig, type Config } from '../core/config.ts'
import { Conflict, Invalid, messageOf, Unavailable } from '../core/errors.ts'
import { layoutOf } from './layout.ts'
import { preflight } from './preflight.ts'
import { step } from './progress.ts'
import { hostUnit, installUnit } from './unit.ts'
import { up } from './up.ts'

/** The options of `./berth agent join`. */
export interface JoinWords {
  /** null = that of the machine */
  readonly name: string | null
  /** where the API reaches this machine; null = the address from which this machine reaches the API */
  readonly address: string | null
  readonly uplink: string | null
  readonly rack: string | null
  /** whether this host also comes back after a boot of the machine, by a unit of systemd */
  readonly systemd: boolean
}

const timeoutMs = 30_000
const connectMs = 10_000
/** host:port of what the machine must reach */
const reachable = z.object({ reach: z.object({ database: z.string(), registry: z.string().nullable() }) })
const given = z.object({
  settings: z.object({
    databaseUrl: z.string(),
    databaseCa: z.string().nullable(),
    registryUrl: z.string().nullable(),
    registryCa: z.string().nullable(),
    registryUser: z.string(),
    registryPassword: z.string().nullable(),
    registryMirrors: z.array(z.string()),
    region: z.string(),
  }),
})
type Given = z.output<typeof given>['settings']
const refused = z.object({ error: z.object({ message: z.string() }) })

/** A connection that is opened and closed again. @returns the address that packets leave from. @throws Unavailable */
async function reach(what: string, { host, port }: { readonly host: string; readonly port: number }): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: connectMs })
    const fail = (reason: string): void => {
      socket.destroy()
      reject(new Unavailable(`${what} does not answer at ${host}:${port}: ${reason}; nothing was changed`))
    }
    socket.once('connect', () => {
      const { localAddress } = socket
      socket.destroy()
      if (localAddress === undefined) fail('the connection was closed')
      else resolve(localAddress)
    })
    socket.once('timeout', () => fail(`silent for ${connectMs / 1000} s`))
    socket.once('error', ({ message }) => fail(message))
  })
}

async function reachCloud(url: URL): Promise<string> {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  return await reach('the API', { host: url.hostname, port })
}

async function reachDoor(what: string, door: string): Promise<void> {
  const { hostname: host, port } = new URL(`tcp://${door}`)
  await reach(what, { host: host.replace(/^\[|\]$/g, ''), port: Number(port) })
}

/** @throws Invalid with the reason of the cloud, or when it is none that answers */
async function ask<T>(url: URL, body: object, shape: z.ZodType<T>): Promise<T> {
  const response = await fetch(new URL('/berth/v1/join', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((error: unknown) => {
    throw new Unavailable(`the API does not answer at ${url.origin}: ${messageOf(error)}`, { cause: error })
  })
  const answer: unknown = await response.json().catch(() => null)
  const told = shape.safeParse(answer)
  if (response.ok && told.success) return told.data
  const fault = refused.safeParse(answer)
  if (fault.success) throw new Invalid(`${url.origin} refuses: ${fault.data.error.message}; nothing was changed`)
  throw new Invalid(
    `${url.origin} is no cloud that can be joined: it answers ${response.status} to POST /berth/v1/join; nothing was changed`,
  )
}

/** All that can fail for reasons outside of this machine, before the token is used. */
async function checkCloud(url: URL, body: object): Promise<string> {
  const { reach: doors } = await ask(url, { ...body, check_only: true }, reachable)
  await reachDoor('the database', doors.database)
  if (doors.registry !== null) await reachDoor('the registry', doors.registry)
  return [doors.database, doors.registry].filter((door) => door !== null).join(', ')
}

/** What every up of this home reads from now on. The authority of the database lies beside it, since the database's URL names a file. */
async function settle(
  config: Config,
  { databaseUrl, databaseCa, ...told }: Given,
  own: Partial<Config>,
): Promise<void> {
  const { keys, home } = layoutOf(config.home)
  await mkdir(keys, { recursive: true, mode: 0o700 })
  const url = new URL(databaseUrl)
  if (databaseCa !== null) {
    const path = pathOf(keys, 'database-ca.pem')
    await writeFile(path, databaseCa, { mode: 0o600 })
    url.searchParams.set('sslmode', 'verify-full')
    url.searchParams.set('sslrootcert', path)
  }
  const settings = { services: ['agent'], gateways: 'none', databaseUrl: url.href, ...told, ...own }
  await writeFile(configFile(home), stringify(settings), { mode: 0o600 })
}

async function check(config: Config, uplink: string | null): Promise<void> {
  // Not by /sys, which shows the NICs of the namespace that it was mounted in.
  const nics = await readFile('/proc/self/net/dev', 'utf8')
  if (uplink !== null && !nics.split('\n').some((line) => line.trimStart().startsWith(`${uplink}:`)))
    throw new Invalid(`--uplink ${uplink}: this machine has no such NIC`)
  const findings = await preflight({ ...config, services: ['agent'] }, { isRunning: true })
  const lacks = findings.filter(({ level }) => level === 'lack')
  if (lacks.length > 0) throw new Unavailable(`this machine lacks ${lacks.map(({ text }) => text).join('; ')}`)
}

/**
 * The token is used only when this machine has all that a host needs. Done again after a failure further on, `./berth up` goes on: the
 * settings are written by then.
 */
export async function join(config: Config, text: string, token: string, words: JoinWords): Promise<void> {
  if (!URL.canParse(text)) throw new Invalid(`${text} is not a URL such as http://10.0.0.1:8774`)
  if (existsSync(configFile(config.home)))
    throw new Conflict(`${configFile(config.home)} is there: this home is of a cloud already; ./berth up starts it`)
  const url = new URL(text)
  const hostName = words.name ?? config.hostName
  const asked = { token, host_name: hostName }
  await step('preflight', () => check(config, words.uplink))
  const source = await step(
    'address',
    () => reachCloud(url),
    (address) => address,
  )
  await step(
    'cloud',
    () => checkCloud(url, asked),
    (doors) => doors,
  )
  const agentAddress = words.address ?? source
  const { settings: told } = await step('credentials', () => ask(url, asked, given))
  const { uplink, rack } = words
  const { namePrefix } = config
  await settle(config, told, { hostName, agentAddress, namePrefix, uplink, rack })
  const joined = loadConfig()
  await up(joined, { hello: false })
  if (words.systemd)
    await step(
      'systemd unit',
      () => installUnit(joined),
      (path) => path,
    )
  else
    process.stdout.write(
      `\nTo start it with the machine (./berth agent join --systemd does it):\n\n${hostUnit(joined)}`,
    )
}
