/** The running cloud that a benchmark measures. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../core/config.ts'
import { Cloud } from '../machine/cloud.ts'
import { layoutOf } from '../machine/layout.ts'
import type { Site } from '../machine/parts/part.ts'
import { adminPassword } from '../machine/secrets.ts'

export function site(): Site {
  const config = loadConfig()
  return { config, layout: layoutOf(config.home) }
}

export async function cloud(): Promise<Cloud> {
  const here = site()
  return await Cloud.open(here.config, await adminPassword(here))
}

/** The Postgres of the running cloud, another database of it. */
export async function databaseUrl(name: string): Promise<string> {
  const { config, layout } = site()
  const url = new URL(config.databaseUrl ?? `postgres://postgres@127.0.0.1:${config.postgresPort}/berth`)
  if (config.databaseUrl === null) url.password = (await readFile(join(layout.keys, 'postgres'), 'utf8')).trim()
  url.pathname = `/${name}`
  return url.href
}
