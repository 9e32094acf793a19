/** Guest images by recipe: an OS image that boots like a machine, made of Debian's packages by mmdebstrap. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { hasCode, Unavailable } from '../core/errors.ts'

/** The images that every cloud has from the first. */
export const imageNames = ['debian-12', 'debian-12-small'] as const
export type ImageName = (typeof imageNames)[number]

/** A root file system with what Docker is to know of it. */
export interface BuiltImage {
  readonly name: ImageName
  /** of the recipe, not of the bytes: Debian's mirror moves */
  readonly recipe: string
  readonly tarPath: string
  /** in the words of the OCI image spec, config.md */
  readonly config: {
    readonly Cmd: readonly string[]
    readonly Env: readonly string[]
    readonly Labels: Readonly<Record<string, string>>
  }
}

const shared =
  'openssh-server,sudo,cron,rsyslog,logrotate,cloud-init,iproute2,iputils-ping,procps,less,nano,ca-certificates,curl,netbase'
const packages: Readonly<Record<ImageName, string>> = {
  'debian-12': `${shared},systemd,systemd-sysv,dbus`,
  'debian-12-small': `${shared},runit,runit-init`,
}
const init: Readonly<Record<ImageName, string>> = { 'debian-12': 'systemd', 'debian-12-small': 'runit' }
const buildTimeoutMs = 10 * 60_000

function recipePath(...parts: readonly string[]): string {
  return fileURLToPath(new URL(parts.join('/'), import.meta.url))
}

/** Tells one recipe from another: a cached image of an older recipe is not used. */
export async function recipeOf(name: ImageName): Promise<string> {
  const hash = createHash('sha256').update(packages[name])
  for (const file of [recipePath('common', 'hook.sh'), recipePath(name, 'hook.sh')]) hash.update(await readFile(file))
  return hash.digest('hex').slice(0, 16)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/**
 * Builds an image, or finds the one that was built by the same recipe.
 *
 * @param directory where finished root file systems are kept
 * @throws Unavailable with the last lines of mmdebstrap
 */
export async function build(
  name: ImageName,
  { directory, logFile }: { readonly directory: string; readonly logFile: string },
): Promise<BuiltImage> {
  const recipe = await recipeOf(name)
  const tarPath = join(directory, `${name}-${recipe}.tar`)
  const config = {
    Cmd: ['/sbin/init'],
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'container=docker', 'LANG=C.UTF-8'],
    Labels: { 'berth.init': init[name], 'berth.recipe': recipe },
  }
  const built: BuiltImage = { name, recipe, tarPath, config }
  if (await exists(tarPath)) return built
  await mkdir(directory, { recursive: true })
  const unfinished = `${tarPath}.${randomUUID()}.new`
  const command = [
    '--variant=minbase',
    `--include=${packages[name]}`,
    '--aptopt=APT::Install-Recommends "false"',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    `--customize-hook=${recipePath('common', 'hook.sh')}`,
    `--customize-hook=${recipePath(name, 'hook.sh')}`,
    '--format=tar',
    'bookworm',
    unfinished,
    'http://deb.debian.org/debian',
  ]
  const { exitCode } = await execa('mmdebstrap', command, {
    all: true,
    reject: false,
    timeout: buildTimeoutMs,
    stdout: { file: logFile },
    stderr: { file: logFile },
  })
  if (exitCode !== 0) {
    await rm(unfinished, { force: true })
    throw new Unavailable(`image ${name} was not built, see ${logFile}`)
  }
  await rename(unfinished, tarPath)
  return built
}
