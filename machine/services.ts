/** api, scheduler and agent: one process each, told by the environment where the real parts are. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { processName, publicUrl, settings, variableOf, type Config } from '../core/config.ts'
import { Unavailable } from '../core/errors.ts'
import { ask } from './supervisor-protocol.ts'
import { until } from './until.ts'
import { keep, type Found, type Site } from './parts/part.ts'
import type { FoundPostgres } from './parts/postgres.ts'
import { kernelDatapath } from './parts/openvswitch.ts'
import type { FoundRegistry } from './parts/registry.ts'

export const services = ['api', 'scheduler', 'agent'] as const
export type Service = (typeof services)[number]

/** All that the services of a host stand on. */
export interface Parts {
  readonly postgres: FoundPostgres
  readonly docker: Found
  readonly openvswitch: Found
  readonly registry: FoundRegistry
  readonly lxcfs: Found
}

/** One process: the first of its kind has the plain name, the second 'api-2'. */
export interface ServiceProcess {
  readonly service: Service
  readonly number: number
  readonly name: string
}

/** All processes of a host that are to run; there is one agent, since a host is one. */
export function processesOf(config: Config): readonly ServiceProcess[] {
  const counts = { api: config.apis, scheduler: config.schedulers, agent: 1 }
  return config.services.flatMap((service) =>
    Array.from({ length: counts[service] }, (_none, index) => ({
      service,
      number: index + 1,
      name: processName(service, { processNumber: index + 1 }),
    })),
  )
}

/** Whether the supervisor keeps this part for one of our services, wanted or no more. */
export function isOfService(part: string): boolean {
  return services.some((name) => name === part.replace(/-[2-9]$/, ''))
}

/** What 'auto' means on this machine. */
export function datapathOf({ datapath }: Config): 'system' | 'netdev' {
  if (datapath !== 'auto') return datapath
  return kernelDatapath() ? 'system' : 'netdev'
}

/** What the settings say of a registry that was found. */
export function registrySettings({ access, mirrors }: FoundRegistry): Partial<Config> {
  const { address, ca, credentials, isSecure } = access
  return {
    registryUrl: isSecure && ca === null ? `https://${address}` : address,
    registryCa: ca,
    registryMirrors: [...mirrors],
    ...(credentials ? { registryUser: credentials.user, registryPassword: credentials.password } : {}),
  }
}

/** As the reader of settings takes it: lists with commas, all else that is no word as JSON. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Every setting as an environment variable, with what `up` found out in the place of what was left open. */
export function environmentOf({ config }: Site, parts: Parts, adminPassword: string | null): Record<string, string> {
  const found = {
    databaseUrl: parts.postgres.where,
    databaseCa: parts.postgres.ca,
    dockerHost: parts.docker.where,
    ovsSocket: parts.openvswitch.where,
    datapath: datapathOf(config),
    ...registrySettings(parts.registry),
    lxcfsDir: parts.lxcfs.where,
    publicUrl: publicUrl(config),
    adminPassword,
  }
  const all = Object.entries({ ...config, ...found }).filter(
    ([name, value]) => name in settings.shape && value !== null,
  )
  return Object.fromEntries(all.map(([name, value]) => [variableOf(name), textOf(value)]))
}

const kept = z.array(z.object({ name: z.string(), env: z.record(z.string(), z.string()) }))

/** The environment in which the supervisor starts a service. @throws Unavailable when the cloud is not up */
export async function environmentOfService({ layout }: Site, name: string): Promise<Record<string, string>> {
  const text = await readFile(join(layout.run, 'parts.json'), 'utf8').catch(() => '[]')
  const found = kept.parse(JSON.parse(text)).find((part) => part.name === name)
  if (!found) throw new Unavailable(`the cloud at ${layout.home} is not up: there is no ${name}; remedy: ./berth up`)
  return found.env
}

/** A service writes its pid when it is ready: a file that a predecessor left names another. */
async function isReady({ layout }: Site, name: string): Promise<boolean> {
  const parts = await ask(layout.supervisorSocket, { op: 'status' })
  const pid = parts.find((part) => part.name === name)?.pid ?? null
  return pid !== null && (await readFile(join(layout.run, `${name}.ready`), 'utf8')).trim() === String(pid)
}

/** Of all the code that a service may run: one that was started of other code is started anew. */
export async function codeDigest({ layout }: Site): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of ['core', 'db', 'ipam', 'jobs', 'driver', 'netns', 'registry', 'migrations', ...services]) {
    const entries = await readdir(join(layout.project, folder), { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    for (const file of files.toSorted()) hash.update(file).update(await readFile(file))
  }
  hash.update(await readFile(join(layout.project, 'package-lock.json')))
  return hash.digest('hex').slice(0, 16)
}

/**
 * An agent keeps little for long: its memory counts more than the rarer pauses of a large heap, and each host has one. No difference in a
 * boot was measured. API and scheduler make a lot for a moment, and a cloud has few of them: with a young generation so small a page of
 * 1,000 servers took twice the processor's time, 164 ms for 85, and a placing among 1,000 hosts too, 7.0 ms for 3.7.
 */
export function nodeFlagsOf(service: Service): readonly string[] {
  const heap = service === 'agent' ? ['--max-semi-space-size=1', '--optimize-for-size'] : ['--max-semi-space-size=4']
  return ['--disable-warning=ExperimentalWarning', ...heap]
}

/** The process answers, or has said that it is ready, when this returns. */
export async function startService(
  site: Site,
  { service, number, name }: ServiceProcess,
  env: Record<string, string>,
): Promise<void> {
  const log = await keep(site, {
    name,
    command: [process.execPath, ...nodeFlagsOf(service), join(site.layout.project, service, 'main.ts')],
    env: { ...env, [variableOf('processNumber')]: String(number) },
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 30_000,
  })
  await until(`${name} (log: ${log})`, 60_000, () => isReady(site, name))
}
