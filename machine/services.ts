/** api, scheduler and agent: one process each, told by the environment where the real parts are. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { publicUrl, settings, variableOf } from '../core/config.ts'
import { until } from './until.ts'
import { keep, type Found, type Site } from './parts/part.ts'
import { kernelDatapath } from './parts/openvswitch.ts'

export const services = ['api', 'scheduler', 'agent'] as const
export type Service = (typeof services)[number]

export interface Parts {
  readonly postgres: Found
  readonly docker: Found
  readonly openvswitch: Found
  readonly registry: Found
  readonly lxcfs: Found
}

/** Every setting as an environment variable, with what `up` found out in the place of what was left open. */
export function environmentOf({ config }: Site, parts: Parts, adminPassword: string): Record<string, string> {
  const found = {
    databaseUrl: parts.postgres.where,
    dockerHost: parts.docker.where,
    ovsSocket: parts.openvswitch.where,
    datapath: config.datapath === 'auto' ? (kernelDatapath() ? 'system' : 'netdev') : config.datapath,
    registryUrl: parts.registry.where,
    lxcfsDir: parts.lxcfs.where,
    publicUrl: publicUrl(config),
    adminPassword,
  }
  const all = Object.entries({ ...config, ...found }).filter(
    ([name, value]) => name in settings.shape && value !== null,
  )
  return Object.fromEntries(
    all.map(([name, value]) => [variableOf(name), Array.isArray(value) ? value.join(',') : String(value)]),
  )
}

async function isReady({ config, layout }: Site, name: Service): Promise<boolean> {
  if (name !== 'api') return existsSync(join(layout.run, `${name}.ready`))
  const response = await fetch(`http://${config.listenAddress}:${config.apiPort}/`, {
    signal: AbortSignal.timeout(2000),
  })
  return response.status < 500
}

/** The service answers, or has said that it is ready, when this returns. @param isRunning whether it was kept already */
export async function startService(
  site: Site,
  name: Service,
  { env, isRunning }: { readonly env: Record<string, string>; readonly isRunning: boolean },
): Promise<void> {
  if (!isRunning) rmSync(join(site.layout.run, `${name}.ready`), { force: true })
  const log = await keep(site, {
    name,
    command: [process.execPath, '--disable-warning=ExperimentalWarning', join(site.layout.project, name, 'main.ts')],
    env,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 30_000,
  })
  await until(`${name} (log: ${log})`, 60_000, () => isReady(site, name))
}
