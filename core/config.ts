import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { Invalid } from './errors.ts'

/**
 * Every setting, with its unit and the reason for its default. The one reader of the environment.
 * Sources, later ones win: the defaults here, `$BERTH_HOME/berth.yaml`, the environment.
 * `someSetting` is read from `BERTH_SOME_SETTING`; the few names that others settled are in `wellKnown`.
 */
export const settings = z.strictObject({
  home: z
    .string()
    .startsWith('/')
    .default('/var/lib/berth')
    .describe('directory: all state of this cloud, removed by down --purge'),
  region: z
    .string()
    .regex(/^[\w-]+$/)
    .default('RegionOne')
    .describe('name of this region in the identity catalogue'),
  hostName: z
    .string()
    .regex(/^[\w.-]+$/)
    .default(hostname())
    .describe('the name under which this host offers its capacity'),
  listenAddress: z
    .string()
    .default('127.0.0.1')
    .describe('address the API listens on; loopback, so that a first try opens nothing'),
  apiPort: z.coerce.number().int().min(1).max(65535).default(8774).describe('TCP port of the API: the one Nova uses'),
  services: z
    .array(z.enum(['api', 'scheduler', 'agent']))
    .min(1)
    .default(['api', 'scheduler', 'agent'])
    .describe('what runs here: all of a cloud, or agent alone on a host that joined one'),
  publicUrl: z
    .url()
    .nullable()
    .default(null)
    .describe('URL under which clients reach the API; null = http://listenAddress:apiPort'),
  adminPassword: z
    .string()
    .min(8)
    .nullable()
    .default(null)
    .describe('password of the first admin; null = generated and kept in home, mode 0600'),
  tokenHours: z.coerce.number().positive().default(24).describe('hours: life of an identity token'),
  loginFailures: z.coerce
    .number()
    .int()
    .min(1)
    .default(10)
    .describe(
      'failed log-ins of one user from one address before it must wait; of one user, or one address, ten times as many',
    ),
  loginWindowSeconds: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe('seconds after the first failed log-in until all are forgotten'),
  trustedProxies: z
    .array(z.string())
    .default([])
    .describe('addresses or CIDRs of proxies before the API whose X-Forwarded-For says who the client is'),

  databaseUrl: z.string().nullable().default(null).describe('postgres://...; null = a Postgres of our own under home'),
  postgresPort: z.coerce
    .number()
    .int()
    .default(5433)
    .describe('TCP port, on loopback, of a Postgres of our own; not 5432, which a Postgres of the machine may hold'),
  databaseConnections: z.coerce
    .number()
    .int()
    .min(2)
    .default(10)
    .describe('connections: the most that one process of ours opens'),
  dockerHost: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'unix:///...: the Docker engine to use; null = the default socket if it suits, else an engine of our own',
    ),
  ovsSocket: z
    .string()
    .nullable()
    .default(null)
    .describe("path of ovsdb-server's socket; null = the running one, else one of our own"),
  datapath: z
    .enum(['auto', 'system', 'netdev'])
    .default('auto')
    .describe('Open vSwitch datapath; auto = system where the kernel has it'),
  switchNamespace: z
    .string()
    .startsWith('/')
    .nullable()
    .default(null)
    .describe(
      "path of the network namespace that Open vSwitch's devices stand in; null = the host's own; set where several hosts share a machine",
    ),
  gateways: z
    .enum(['guests', 'all', 'none'])
    .default('guests')
    .describe(
      "whose networks' gateways this host answers for: those of its guests, all, or none because another host or a router does",
    ),
  bridge: z
    .string()
    .max(15)
    .default('br-berth')
    .describe('name of the integration bridge (an interface name, 15 characters at most)'),
  agentAddress: z
    .string()
    .default('127.0.0.1')
    .describe('address at which the API reaches the agent of this host; loopback where both are on one machine'),
  uplink: z
    .string()
    .max(15)
    .nullable()
    .default(null)
    .describe(
      'a NIC or bond that becomes a trunk of the integration bridge, all VLANs tagged; it is to carry nothing else',
    ),
  registryUrl: z
    .string()
    .nullable()
    .default(null)
    .describe('host:port of an OCI registry; null = one of our own on loopback'),
  registryPort: z.coerce
    .number()
    .int()
    .default(5010)
    .describe('TCP port, on loopback, of a registry of our own; not 5000, which many things hold'),
  lxcfsDir: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'where lxcfs is mounted; null = the running one, else one of our own; "off" = guests see the host\'s figures',
    ),
  namePrefix: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,9}$/)
    .default('berth')
    .describe('begins every name that the kernel shares between clouds: cgroup parent, users, sysctl file'),

  networkName: z.string().default('private').describe('name of the network that up creates'),
  networkCidr: z
    .string()
    .default('10.77.0.0/22')
    .describe('its subnet; the first address is the gateway, on this host'),
  networkVlan: z.coerce
    .number()
    .int()
    .min(1)
    .max(4094)
    .nullable()
    .default(100)
    .describe('its 802.1Q tag; null = untagged'),
  networkMtu: z.coerce
    .number()
    .int()
    .min(576)
    .max(9216)
    .default(1500)
    .describe('bytes: MTU of networks that name none'),
  dnsServers: z.array(z.string()).default([]).describe('resolvers of subnets that name none'),
  hostReachesGuests: z
    .stringbool()
    .or(z.boolean())
    .default(true)
    .describe(
      "true/false: the host's own address in a subnet may open connections to guests whatever their security groups say: operators reach guests from their host",
    ),
  quarantineSeconds: z.coerce
    .number()
    .int()
    .min(0)
    .default(300)
    .describe('seconds a released address rests, so that neighbours forget its old MAC'),

  cpuRatio: z.coerce
    .number()
    .positive()
    .default(64)
    .describe('virtual CPUs promised per CPU: an idle container costs none, and quotas share what there is'),
  memoryRatio: z.coerce.number().positive().default(1.5).describe("memory promised per memory: Nova's default"),
  diskRatio: z.coerce.number().positive().default(1).describe('disk promised per disk'),
  reservedMemoryMiB: z.coerce
    .number()
    .int()
    .min(0)
    .default(512)
    .describe("MiB kept for the host itself: Nova's default"),
  diskReserveMiB: z.coerce
    .number()
    .int()
    .min(0)
    .default(2048)
    .describe(
      'MiB of the disk that guests share that stay free: below, no new guest comes, and the one that grows fastest is paused',
    ),
  pidsLimit: z.coerce
    .number()
    .int()
    .min(64)
    .default(2048)
    .describe('processes and threads of one guest: a fork bomb stays inside'),
  stopGraceSeconds: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe("seconds a guest gets to shut down before it is killed: Nova's default"),
  bootTimeoutSeconds: z.coerce
    .number()
    .int()
    .min(5)
    .default(120)
    .describe('seconds a create may take on a host before it counts as failed'),
  startConcurrency: z.coerce
    .number()
    .int()
    .min(1)
    .default(4)
    .describe('guests started at once on a host: container starts are CPU-bound'),
  reclaimSeconds: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("seconds that a deleted server can still be restored; 0 = deleted at once: Nova's default"),
  heartbeatSeconds: z.coerce
    .number()
    .positive()
    .default(5)
    .describe('seconds between two signs of life of an agent, or of a scheduler'),
  reconcileSeconds: z.coerce
    .number()
    .positive()
    .default(30)
    .describe('seconds between two full comparisons of rows with the host'),
  failpointDirectory: z
    .string()
    .startsWith('/')
    .nullable()
    .default(null)
    .describe(
      'directory: a file there kills the process that reaches the failpoint of that name; null = never, for tests',
    ),
  shelvedOffloadSeconds: z.coerce
    .number()
    .int()
    .min(-1)
    .default(0)
    .describe(
      "seconds a shelved server keeps its place on the host: Nova's shelved_offload_time; 0 = none, -1 = for ever",
    ),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('least level that the processes log'),
})

export type Config = Readonly<z.output<typeof settings>>

type Environment = Readonly<Record<string, string | undefined>>

/** Settings whose environment variable has a name settled elsewhere. */
const wellKnown: Readonly<Record<string, string>> = {
  databaseUrl: 'DATABASE_URL',
  dockerHost: 'DOCKER_HOST',
  registryUrl: 'REGISTRY_URL',
}

/** Settings that are lists, with commas between in the environment. */
const listSettings: ReadonlySet<string> = new Set(['dnsServers', 'trustedProxies', 'services'])

/** The environment variable of a setting: 'apiPort' is read from BERTH_API_PORT. */
export function variableOf(name: string): string {
  return wellKnown[name] ?? `BERTH_${name.replace(/([A-Z]+)/g, '_$1').toUpperCase()}`
}

/** The path of the configuration file of a home. */
export function configFile(home: string): string {
  return join(home, 'berth.yaml')
}

function readFile(path: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(parse(readFileSync(path, 'utf8')) ?? {})
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new Invalid(`${path}: not a YAML mapping of settings`, { cause: error })
  }
}

/**
 * Reads all settings.
 *
 * @throws Invalid naming the setting, where it came from and what is wrong
 */
export function loadConfig(environment: Environment = process.env): Config {
  const home = environment.BERTH_HOME ?? settings.shape.home.parse(undefined)
  const fromEnvironment: Record<string, unknown> = {}
  for (const name of Object.keys(settings.shape)) {
    const text = environment[variableOf(name)]
    if (text === undefined || text === '') continue
    fromEnvironment[name] = listSettings.has(name) ? text.split(',').filter(Boolean) : text === 'null' ? null : text
  }
  const result = settings.safeParse({ ...readFile(configFile(home)), ...fromEnvironment, home })
  if (result.success) return result.data
  const [issue] = result.error.issues
  const name = String(issue?.path[0] ?? '')
  const source = name in fromEnvironment ? variableOf(name) : configFile(home)
  const unknown =
    issue?.code === 'unrecognized_keys'
      ? `unknown setting ${issue.keys.join(', ')}`
      : `${name}: ${issue?.message ?? ''}`
  throw new Invalid(`${source}: ${unknown}`)
}

/** The URL that the catalogue gives to clients. */
export function publicUrl(config: Config): string {
  return config.publicUrl ?? `http://${config.listenAddress}:${String(config.apiPort)}`
}

/** Where a client finds a cloud and who it is, in the variables that OpenStack's clients have. */
export interface ClientSettings {
  /** such as 'http://127.0.0.1:8774/identity/v3' */
  readonly authUrl: string
  readonly username: string
  readonly password: string
  readonly project: string
}

/** Whether the environment names a cloud. */
export function hasClientSettings(environment: Environment = process.env): boolean {
  return (environment.OS_AUTH_URL ?? '') !== ''
}

/** @throws Invalid naming the variable that is missing */
export function clientSettings(environment: Environment = process.env): ClientSettings {
  const required = (name: string): string => {
    const value = environment[name]
    if (value === undefined || value === '') throw new Invalid(`${name} is not set: eval "$(./berth env)" sets it`)
    return value
  }
  return {
    authUrl: required('OS_AUTH_URL'),
    username: required('OS_USERNAME'),
    password: required('OS_PASSWORD'),
    project: required('OS_PROJECT_NAME'),
  }
}
