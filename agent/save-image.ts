/** A guest's disk, put into the registry as an image. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Config } from '../core/config.ts'
import type { Server } from '../core/server.ts'
import { activateImage, moveImage } from '../db/new-images.ts'
import { whileWriting } from '../db/registry-writers.ts'
import type { Fate } from '../driver/driver.ts'
import { archiveSize } from '../registry/archive.ts'
import { putChild, readImage } from '../registry/image.ts'
import type { Host } from './host.ts'

/** overlay2 takes 128 layers, and a guest's own two are among them: an image with so many is written as one. */
const mostLayers = 100
/** on an image that bears the identity of one machine */
const identityLabel = 'berth.identity'

/**
 * What makes a machine this one and no other: another one made of its disk gets its own. The seed, and what cloud-init keeps of it,
 * hold user data and passwords.
 */
const ownPaths = [
  /^etc\/ssh\/ssh_host_/,
  /^etc\/hostname$/,
  /^var\/lib\/dbus\/machine-id$/,
  /^var\/lib\/systemd\/random-seed$/,
  /^var\/lib\/cloud\/(seed|instance|instances|data|sem)(\/|$)/,
  /^\.dockerenv$/,
]

function fateInImage(path: string): Fate {
  if (path === 'etc/machine-id') return 'blank'
  return ownPaths.some((own) => own.test(path)) ? 'drop' : 'keep'
}

/** Where disks are copied to while they are read; what an agent that died left there is of no use to anybody. */
export function captureDirectory({ home, hostName }: Pick<Config, 'home' | 'hostName'>): string {
  return join(home, 'run', 'capture', hostName)
}

/** The image that a disk is to become. */
export interface ImageWish {
  readonly imageId: string
  /** for the image of a shelved server, which comes back as the machine that it was */
  readonly keepsIdentity: boolean
}

/** What its caller does at each step of the way of a disk into the registry. */
export interface CaptureHooks {
  /** the registry has answered */
  readonly beforeCapture?: () => Promise<void>
  /** runs its argument in the server's turn */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>
  /** the disk is copied, and the guest goes on */
  readonly afterCapture: () => Promise<void>
  /** is told of each piece of the disk that goes to the registry */
  readonly onBytes?: (bytes: number) => void
}

async function* counted(archive: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const piece of archive) {
    onBytes(piece.length)
    yield piece
  }
}

interface DiskWish {
  /** of the repository */
  readonly name: string
  readonly keepsIdentity: boolean
  /** whether the guest is off, and waits for this: it goes by the shortest way */
  readonly isOff?: boolean
  /** milliseconds of silence after which the registry is given up */
  readonly silenceMs?: number
}

/** The guest's disk, put into the repository of that name while its caller writes to the registry. @returns where it is, by digest */
export async function putDisk(
  { config, driver, registry }: Host,
  server: Server,
  { name, keepsIdentity, isOff = false, silenceMs }: DiskWish,
  { beforeCapture, inTurn, afterCapture, onBytes }: CaptureHooks,
): Promise<{ readonly reference: string }> {
  const parent = await readImage(registry, server.imageReference)
  await beforeCapture?.()
  const isOfOne = parent.config.config?.Labels?.[identityLabel] !== undefined
  const isWhole = parent.manifest.layers.length >= mostLayers || (isOfOne && !keepsIdentity)
  const scratch = captureDirectory(config)
  const fateOf = keepsIdentity ? (): Fate => 'keep' : fateInImage
  const { kind, archive } = await inTurn(() => driver.capture(server.id, { scratch, isWhole, isOff, fateOf }))
  await afterCapture()
  const target = registry.repository(name)
  const reference = await putChild(parent, target, {
    archive: onBytes ? Readable.from(counted(archive, onBytes)) : archive,
    isWhole: kind === 'whole',
    createdBy: `berth snapshot ${randomUUID()}`,
    labels: { [identityLabel]: keepsIdentity ? server.id : null },
    ...(isOff ? { packing: 'tar' } : {}),
    ...(silenceMs === undefined ? {} : { silenceMs }),
  })
  return { reference }
}

/** @returns false when the image was deleted meanwhile */
export async function saveImage(
  host: Host,
  server: Server,
  { imageId, keepsIdentity }: ImageWish,
  hooks: CaptureHooks,
): Promise<boolean> {
  const { db, registry } = host
  await moveImage(db, imageId, ['queued'], 'saving')
  return await whileWriting(db, async () => {
    const { reference } = await putDisk(host, server, { name: `images/${imageId}`, keepsIdentity }, hooks)
    const layers = (await readImage(registry, reference)).manifest.layers.length
    const sizeBytes = await archiveSize(registry, reference)
    const bytes = { reference, sizeBytes, layers, fileDigest: null, checksum: null, sha512: null }
    return await activateImage(db, imageId, bytes)
  })
}
