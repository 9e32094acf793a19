import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { hasCode, Invalid, messageOf } from './errors.ts'
import { cloud } from './settings/cloud.ts'
import { guests } from './settings/guests.ts'
import { images } from './settings/images.ts'
import { network } from './settings/network.ts'
import { parts } from './settings/parts.ts'
import { scheduling } from './settings/scheduling.ts'

/**
 * Every setting, with its unit and the reason for its default. The one reader of the environment.
 * Sources, later ones win: the defaults in settings/, `$BERTH_HOME/berth.yaml`, the environment.
 * `someSetting` is read from `BERTH_SOME_SETTING`; the few names that others settled are in `wellKnown`.
 */
export const settings = z.strictObject({
  ...cloud,
  ...parts,
  ...images,
  ...network,
  ...guests,
  ...scheduling,
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
const listSettings: ReadonlySet<string> = new Set([
  'dnsServers',
  'trustedProxies',
  'services',
  'registryMirrors',
  'schedulerFilters',
  'schedulerWeighers',
])

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
    if (hasCode(error, 'ENOENT')) return {}
    const [reason = ''] = messageOf(error).split('\n')
    const why = error instanceof z.ZodError ? 'it is no mapping' : reason.replace(/:$/, '')
    throw new Invalid(`${path}: not a YAML mapping of settings: ${why}`, { cause: error })
  }
}

/** A text that should have been a number is one to zod: NaN. */
function isNoNumber(issue: z.core.$ZodIssue | undefined): boolean {
  return issue?.code === 'invalid_type' && issue.expected === 'number'
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
      : `${name}: ${isNoNumber(issue) ? 'a number is needed' : (issue?.message ?? '')}`
  throw new Invalid(`${source}: ${unknown}`)
}

/** Where clients log in: an external Keystone, or our own identity. With its version. */
export function identityUrl(config: Config): string {
  const { keystone } = config.identity
  if (keystone === null) return `${publicUrl(config)}/identity/v3`
  return `${keystone.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3`
}

/** The URL that the catalogue gives to clients. */
export function publicUrl(config: Config): string {
  return config.publicUrl ?? `http://${config.listenAddress}:${String(config.apiPort)}`
}

/** A database's URL as others may see it. */
export function withoutPassword(url: string): string {
  return url.replace(/^(\w+:\/\/[^:@/]*):[^?]*@/, '$1:***@')
}

/** Of several processes of a kind on this host the first has the plain name, the second 'name-2'. */
export function processName(name: string, { processNumber }: Pick<Config, 'processNumber'>): string {
  return processNumber === 1 ? name : `${name}-${processNumber}`
}
