/** The running cloud that a benchmark measures. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../../core/config.ts'
import { Cloud } from '../../machine/cloud.ts'
import { layoutOf } from '../../machine/layout.ts'
import type { Site } from '../../machine/parts/part.ts'
import { registryAccessOf } from '../../machine/registry-keys.ts'
import { adminPassword } from '../../machine/secrets.ts'

export function site(): Site {
  const config = loadConfig()
  return { config, layout: layoutOf(config.home) }
}

/** Docker's own client logs in to the registry by what stands there: a directory for `docker --config`. */
export async function dockerClient(): Promise<string> {
  const here = site()
  const { address, credentials } = await registryAccessOf(here)
  const auth = credentials && Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')
  const directory = join(here.layout.run, 'docker-client')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(
    join(directory, 'config.json'),
    JSON.stringify({ auths: auth === null ? {} : { [address]: { auth } } }),
  )
  return directory
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
