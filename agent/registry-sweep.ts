/** What nothing refers to leaves the registry: manifests from anywhere, their blobs where the registry is this home's own. */
import { existsSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { Unavailable } from '../core/errors.ts'
import type { RegistrySweep } from '../core/image-sweep.ts'
import { agedOrphans, liveImageIds, referredDigests } from '../db/image-care.ts'
import { hostNames } from '../db/host-names.ts'
import { endSweep, sweepSeconds, whileNobodyWrites } from '../db/registry-writers.ts'
import { bytesFreed, manifestsOf, type StoredManifest } from '../registry/garbage.ts'
import type { ImageHost } from './image-care.ts'

/** Others may have put theirs beside ours: what has other names is left alone. */
const ourNames = /^(images|servers)\//

function ownRegistry({ config }: ImageHost): string | null {
  const directory = join(config.home, 'registry')
  return existsSync(join(directory, 'config.yml')) ? directory : null
}

/** The bytes of an uploaded file are held by a manifest of their own, beside that of what boots. */
function isHeldFile({ repository, tags }: StoredManifest, live: ReadonlySet<string>): boolean {
  return tags.includes('file') && live.has(repository.replace(/^images\//, ''))
}

async function look({ db, registry, config }: ImageHost): Promise<{
  readonly gone: readonly StoredManifest[]
  readonly kept: readonly StoredManifest[]
  readonly waiting: number
}> {
  const names = (await registry.repositories()).filter((name) => ourNames.test(name))
  const manifests = await manifestsOf(registry, names)
  const [referred, live] = await Promise.all([referredDigests(db), liveImageIds(db)])
  const orphans = manifests.filter((one) => !referred.has(one.digest) && !isHeldFile(one, live))
  const aged = await agedOrphans(db, orphans, config.registryKeepHours)
  const gone = orphans.filter((one) =>
    aged.some(({ repository, digest }) => repository === one.repository && digest === one.digest),
  )
  return { gone, kept: manifests.filter((one) => !gone.includes(one)), waiting: orphans.length - gone.length }
}

async function blobBytes(directory: string): Promise<number> {
  const root = join(directory, 'data', 'docker', 'registry', 'v2', 'blobs')
  if (!existsSync(root)) return 0
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Of a server or an image that is no more its repository is empty, and its name would be listed for ever. */
async function removeEmpty(directory: string, names: readonly string[], { registry }: ImageHost): Promise<void> {
  for (const name of names) {
    if (!/^(images|servers)\/[0-9a-f-]{36}$/.test(name)) continue
    if ((await registry.repository(name).tags()).length > 0) continue
    await rm(join(directory, 'data', 'docker', 'registry', 'v2', 'repositories', name), {
      recursive: true,
      force: true,
    })
  }
}

/** Source: docker-registry's manual, "Garbage collection": nothing may be written meanwhile. @returns bytes freed */
async function sweepBlobs(host: ImageHost, directory: string, gone: readonly StoredManifest[]): Promise<number> {
  const before = await blobBytes(directory)
  await removeEmpty(directory, [...new Set(gone.map(({ repository }) => repository))], host)
  // It dies with this agent, whose lease its next one ends.
  const words = ['--pdeathsig', 'KILL', 'docker-registry', 'garbage-collect', join(directory, 'config.yml')]
  const { exitCode, stderr } = await execa('setpriv', words, {
    reject: false,
    timeout: (sweepSeconds - 60) * 1000,
    maxBuffer: 100_000_000,
  })
  if (exitCode !== 0) throw new Unavailable(`The registry's blobs were not swept: ${stderr.slice(-500)}`)
  return before - (await blobBytes(directory))
}

/** Its own registry nobody else sweeps: a lease that is there when the agent starts is of one that was killed, and holds up whoever writes. */
export async function endKilledSweep(host: ImageHost): Promise<void> {
  if (ownRegistry(host) !== null) await endSweep(host.db)
}

/** Of several hosts that of the registry itself; of none, the first. */
async function isOurTurn(host: ImageHost): Promise<boolean> {
  if (ownRegistry(host) !== null) return true
  return host.config.registryUrl !== null && (await hostNames(host.db))[0] === host.name
}

/** @returns null when another host looks after the registry, or somebody writes to it just now */
export async function sweepRegistry(host: ImageHost, isDry: boolean): Promise<RegistrySweep | null> {
  const { registry, db, log } = host
  if (!(await isOurTurn(host))) return null
  const directory = ownRegistry(host)
  const sweep = async (): Promise<RegistrySweep> => {
    const { gone, kept, waiting } = await look(host)
    const removed = gone.map(({ repository, digest }) => `${repository}@${digest}`)
    const told = { removed, waiting, sweeps_blobs: directory !== null }
    const bytes = await bytesFreed(registry, { gone, kept })
    if (isDry) return { ...told, bytes }
    for (const { repository, digest } of gone) await registry.repository(repository).remove(digest)
    if (directory === null) return { ...told, bytes }
    return { ...told, bytes: await sweepBlobs(host, directory, gone) }
  }
  const swept = isDry ? { result: await sweep() } : await whileNobodyWrites(db, sweep)
  if (swept && !isDry && swept.result.removed.length > 0)
    log.info({ manifests: swept.result.removed, bytes: swept.result.bytes }, 'registry swept')
  return swept?.result ?? null
}
