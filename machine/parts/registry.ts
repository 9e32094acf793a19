/** The OCI registry: the given one, else Debian's docker-registry, with a certificate and a password; and a mirror of it. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { stringify } from 'yaml'
import { CloudError, Unavailable } from '../../core/errors.ts'
import type { RegistryAccess } from '../../core/registry-access.ts'
import { Registry } from '../../registry/registry.ts'
import { authorityPath, ownAuthority, passwordLine, registryAccessOf, serverCertificate } from '../registry-keys.ts'
import { ask } from '../supervisor-protocol.ts'
import { until } from '../until.ts'
import { keep, type Found, type Site } from './part.ts'

/** The registry that a cloud stands on, and how it is reached. */
export interface FoundRegistry extends Found {
  readonly access: RegistryAccess
  /** host:port of those that this host pulls from */
  readonly mirrors: readonly string[]
}

const answerMs = 3000

async function answers(access: RegistryAccess): Promise<true> {
  if (!(await new Registry(access).answers(answerMs)))
    throw new CloudError('unavailable', `${access.address} does not answer, or knows neither us nor our authority`)
  return true
}

async function textOf(path: string): Promise<string | null> {
  return existsSync(path) ? await readFile(path, 'utf8') : null
}

/** @returns whether the file says something new */
async function put(path: string, text: string, mode = 0o644): Promise<boolean> {
  if ((await textOf(path)) === text) return false
  await writeFile(path, text, { mode })
  return true
}

/** A line made of the same password is another each time. */
async function putPassword(path: string, credentials: { user: string; password: string }): Promise<boolean> {
  const stamp = `# ${credentials.user}:${credentials.password}\n`
  if ((await textOf(path))?.endsWith(stamp)) return false
  return await put(path, `${await passwordLine(credentials)}${stamp}`, 0o600)
}

const trustDirectory = '/etc/docker/certs.d'

/** Engines of this machine, ours and others, look there for whom to trust. Source: Docker's manual, "Verify repository client with certificates". */
async function trustRegistry(access: RegistryAccess): Promise<void> {
  if (access.ca === null) return
  const directory = join(trustDirectory, access.address)
  await mkdir(directory, { recursive: true })
  await put(join(directory, 'ca.crt'), access.ca)
}

/** Only what names our authority is ours. Hosts that share a machine share what it trusts. */
export async function forgetRegistry(site: Site): Promise<void> {
  if (site.config.switchNamespace !== null) return
  const ours = site.config.registryCa ?? (await textOf(authorityPath(site)))
  if (ours === null || !existsSync(trustDirectory)) return
  for (const address of await readdir(trustDirectory)) {
    const text = await textOf(join(trustDirectory, address, 'ca.crt'))
    if (text?.includes(ours) === true) await rm(join(trustDirectory, address), { recursive: true })
  }
  if ((await readdir(trustDirectory)).length === 0) await rmdir(trustDirectory)
}

interface Served {
  /** of the part, and of its directory under home */
  readonly name: 'registry' | 'registry-mirror'
  readonly access: RegistryAccess
  readonly storage: Readonly<Record<string, unknown>>
  readonly more: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string>>
}

/** Runs with these settings when this returns; a running one with others is started anew, which takes a second. */
async function serve(site: Site, { name, access, storage, more, env }: Served): Promise<void> {
  const directory = join(site.layout.home, name)
  await mkdir(directory, { recursive: true })
  // The layers of servers' images are files that their users wrote: nobody else of this machine reads them.
  await chmod(directory, 0o700)
  const [certificate, passwords] = [join(directory, 'certificate'), join(directory, 'htpasswd')]
  const names = [...new Set([access.address.replace(/:\d+$/, ''), '127.0.0.1', 'localhost', hostname()])]
  const credentials = access.credentials ?? { user: '', password: '' }
  const settings = {
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, ...storage },
    http: {
      addr: access.address,
      tls: { certificate: join(certificate, 'cert.pem'), key: join(certificate, 'key.pem') },
    },
    auth: { htpasswd: { realm: 'berth', path: passwords } },
    ...more,
  }
  const file = join(directory, 'config.yml')
  const changes = [
    await serverCertificate(site, certificate, names),
    await putPassword(passwords, credentials),
    await put(file, stringify(settings), 0o600),
  ]
  if (changes.includes(true)) await ask(site.layout.supervisorSocket, { op: 'stop', name })
  const log = await keep(site, {
    name,
    command: ['docker-registry', 'serve', file],
    env: { ...env },
    stopSignal: 'SIGTERM',
  })
  await until(`the ${name} (log: ${log})`, 20_000, () => answers(access))
}

async function version(): Promise<string> {
  const { stdout } = await execa('docker-registry', ['--version'], { timeout: 5000, reject: false })
  if (stdout.length === 0) throw new Unavailable('docker-registry does not tell its version')
  return /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'unknown'
}

/**
 * Keeps what guests' hosts of a data centre pull, so that it crosses the line between two of them once. Source: docker-registry's manual,
 * "Registry as a pull through cache".
 *
 * @returns how the registry and its mirrors are reached from here
 */
async function startMirror(site: Site, access: RegistryAccess): Promise<Pick<FoundRegistry, 'access' | 'mirrors'>> {
  const { config, layout } = site
  if (config.registryMirrorPort === null) {
    await ask(layout.supervisorSocket, { op: 'stop', name: 'registry-mirror' })
    return { access, mirrors: config.registryMirrors }
  }
  const own = await ownAuthority(site)
  const ca = access.ca === null || access.ca === own ? own : `${access.ca}${own}`
  const address = `${config.registryAddress}:${config.registryMirrorPort}`
  const trusted = join(layout.keys, 'registry-ca.pem')
  await put(trusted, ca)
  const { user, password } = access.credentials ?? { user: '', password: '' }
  // It knows tokens alone; a name in the URL is what goes along as basic authorization.
  const who = access.credentials ? `${encodeURIComponent(user)}:${encodeURIComponent(password)}@` : ''
  const mirror = { ...access, address, ca, isSecure: true }
  await serve(site, {
    name: 'registry-mirror',
    access: mirror,
    storage: {},
    more: { proxy: { remoteurl: `${access.isSecure ? 'https' : 'http'}://${who}${access.address}` } },
    env: { SSL_CERT_FILE: trusted },
  })
  return { access: { ...access, ca }, mirrors: [address, ...config.registryMirrors] }
}

async function startOwn(site: Site, access: RegistryAccess): Promise<Found> {
  if (site.config.registryUrl !== null) {
    await until('the registry at REGISTRY_URL', 10_000, () => answers(access))
    return { origin: 'given', where: site.config.registryUrl, version: '' }
  }
  await serve(site, { name: 'registry', access, storage: { delete: { enabled: true } }, more: {}, env: {} })
  return { origin: 'ours', where: access.address, version: await version() }
}

export async function startRegistry(site: Site): Promise<FoundRegistry> {
  const access = await registryAccessOf(site)
  const found = await startOwn(site, access)
  const reached = await startMirror(site, access)
  await trustRegistry(reached.access)
  for (const address of reached.mirrors) await trustRegistry({ ...reached.access, address })
  return { ...found, ...reached }
}
