/** The OCI registry: the given one, else Debian's docker-registry on loopback. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { stringify } from 'yaml'
import { Unavailable } from '../../core/errors.ts'
import { until } from '../until.ts'
import { keep, type Found, type Site } from './part.ts'

async function answers(address: string): Promise<true> {
  const response = await fetch(`http://${address}/v2/`, { signal: AbortSignal.timeout(3000) })
  if (response.status !== 200 && response.status !== 401) throw new Error(`status ${response.status}`)
  return true
}

export async function startRegistry(site: Site): Promise<Found> {
  const { config, layout } = site
  if (config.registryUrl !== null) {
    await until('the registry at REGISTRY_URL', 3000, () => answers(config.registryUrl ?? ''))
    return { origin: 'given', where: config.registryUrl, version: 'unknown' }
  }
  const address = `127.0.0.1:${config.registryPort}`
  const directory = join(layout.home, 'registry')
  await mkdir(directory, { recursive: true })
  const file = join(directory, 'config.yml')
  const settings = {
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: address },
  }
  await writeFile(file, stringify(settings))
  await keep(site, { name: 'registry', command: ['docker-registry', 'serve', file], stopSignal: 'SIGTERM' })
  await until('the registry', 20_000, () => answers(address))
  const { stdout } = await execa('docker-registry', ['--version'], { timeout: 5000, reject: false })
  if (stdout.length === 0) throw new Unavailable('docker-registry does not tell its version')
  return { origin: 'ours', where: address, version: /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'unknown' }
}
