/** What a registry of our own is known by: an authority, the certificate that it gives, a password. */
import { randomBytes, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { execa } from 'execa'
import { registryAccess, type RegistryAccess } from '../core/registry-access.ts'
import type { Site } from './parts/part.ts'

const authorityDays = '3650'
const certificateDays = '825'
/** A certificate that ends sooner is made anew by the next up. */
const leastDaysLeft = 90
const dayMs = 86_400_000
const commandTimeoutMs = 20_000

function directoryOf({ layout }: Site): string {
  return join(layout.keys, 'registry')
}

/** Of the certificate of this home's own authority. */
export function authorityPath(site: Site): string {
  return join(directoryOf(site), 'cert.pem')
}

function settingsText(name: string, extensions: readonly string[]): string {
  const head = ['[req]', 'prompt=no', 'distinguished_name=dn', 'x509_extensions=ext', '[dn]', `CN=${name}`, '[ext]']
  return `${[...head, ...extensions].join('\n')}\n`
}

/** Source: openssl-req(1), version 3. */
async function makeCertificate(
  directory: string,
  { name, extensions, more }: { name: string; extensions: readonly string[]; more: readonly string[] },
): Promise<void> {
  const settings = join(directory, 'openssl.cnf')
  await writeFile(settings, settingsText(name, extensions))
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')]
  await execa('openssl', ['req', '-x509', '-config', settings, ...key, ...files, ...more], {
    timeout: commandTimeoutMs,
  })
}

/** The directory is there whole, or not at all: of two that make it at once one wins, and both use the same. */
async function makeOnce(target: string, fill: (directory: string) => Promise<void>): Promise<void> {
  if (existsSync(target)) return
  await mkdir(join(target, '..'), { recursive: true, mode: 0o700 })
  const unfinished = await mkdtemp(`${target}.new-`)
  try {
    await fill(unfinished)
    await rename(unfinished, target)
  } catch (error) {
    if (!existsSync(target)) throw error
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

/** PEM of the authority that signs for this home; made when it is not there. */
export async function ownAuthority(site: Site): Promise<string> {
  const directory = directoryOf(site)
  await makeOnce(directory, async (unfinished) => {
    const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
    const name = `berth registry of ${site.config.hostName}`
    await makeCertificate(unfinished, { name, extensions, more: ['-days', authorityDays] })
    await writeFile(join(unfinished, 'password'), randomBytes(18).toString('base64url'), { mode: 0o600 })
  })
  return await readFile(authorityPath(site), 'utf8')
}

/** The access to the registry of this cloud; the keys of one of our own are made when they are not there. */
export async function registryAccessOf(site: Site): Promise<RegistryAccess> {
  const { config } = site
  if (config.registryUrl !== null) return registryAccess(config)
  const registryCa = await ownAuthority(site)
  const registryPassword = config.registryPassword ?? (await readFile(join(directoryOf(site), 'password'), 'utf8'))
  return registryAccess({ ...config, registryCa, registryPassword })
}

function isGood(text: string, authority: string, names: readonly string[]): boolean {
  const [certificate, ca] = [new X509Certificate(text), new X509Certificate(authority)]
  const isNamed = names.every((name) =>
    isIP(name) ? certificate.checkIP(name) !== undefined : certificate.checkHost(name) !== undefined,
  )
  return (
    isNamed && certificate.checkIssued(ca) && certificate.validToDate.getTime() - Date.now() > leastDaysLeft * dayMs
  )
}

/**
 * A certificate for these names, and its key, as files of a directory of that name.
 *
 * @returns whether it is new
 */
export async function serverCertificate(site: Site, target: string, names: readonly string[]): Promise<boolean> {
  const directory = directoryOf(site)
  const authority = await ownAuthority(site)
  if (existsSync(target) && isGood(await readFile(join(target, 'cert.pem'), 'utf8'), authority, names)) return false
  await rm(target, { recursive: true, force: true })
  await makeOnce(target, async (unfinished) => {
    const extensions = [
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,digitalSignature',
      'extendedKeyUsage=serverAuth',
      `subjectAltName=${names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',')}`,
    ]
    const signed = ['-CA', join(directory, 'cert.pem'), '-CAkey', join(directory, 'key.pem'), '-days', certificateDays]
    await makeCertificate(unfinished, { name: names[0] ?? 'registry', extensions, more: signed })
  })
  return true
}

/** A line of htpasswd, as docker-registry takes it: bcrypt alone. Perl, which every Debian has, brings libcrypt's. */
export async function passwordLine({
  user,
  password,
}: {
  readonly user: string
  readonly password: string
}): Promise<string> {
  const salt = randomBytes(17).toString('base64url').slice(0, 22).replaceAll('-', '.').replaceAll('_', '/')
  // Of 144 random bits nothing is found by trying: the least cost is enough, and each request pays it.
  const words = ['-e', 'my $p = <STDIN>; print crypt($p, $ARGV[0])', `$2y$04$${salt}`]
  const { stdout } = await execa('perl', words, {
    input: password,
    timeout: commandTimeoutMs,
  })
  return `${user}:${stdout}\n`
}
