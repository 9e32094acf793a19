/** Images of this host: brought before a server needs them, gone when nothing has needed them for a while. */
import { messageOf } from '../core/errors.ts'
import type { HostSweep } from '../core/image-sweep.ts'
import { mirrorAccesses } from '../core/registry-access.ts'
import { reportImage, reportImages } from '../db/host-images.ts'
import { idleImages, missingImages } from '../db/image-care.ts'
import type { Host } from './host.ts'

const pullTimeoutMs = 1_800_000
/** What it takes of a host. */
export type ImageHost = Pick<Host, 'name' | 'config' | 'db' | 'driver' | 'registry' | 'log' | 'turns'>

/** What could not be brought is asked for again this late: it may be no image that an engine takes. */
const againMs = 600_000

function placeOf({ name, config }: ImageHost): { readonly host: string; readonly isPublic: boolean } {
  return { host: name, isPublic: config.imagesBeforehand === 'public' }
}

/** Names under which this cloud's images are pulled; an engine may have others' beside them. */
function isOurs({ registry, config }: ImageHost): (reference: string) => boolean {
  const addresses = [registry.address, ...mirrorAccesses(config).map(({ address }) => address)]
  const beginnings = addresses.flatMap((one) => [`${one}/images/`, `${one}/servers/`])
  return (reference) => beginnings.some((one) => reference.startsWith(one))
}

/** Brings what is wanted here, one image after the other. */
export class ImageBringer {
  readonly #host: ImageHost
  readonly #failed = new Map<string, number>()

  constructor(host: ImageHost) {
    this.#host = host
  }

  async look(signal: AbortSignal): Promise<void> {
    const { db, driver, log, name } = this.#host
    for (const reference of await missingImages(db, placeOf(this.#host))) {
      if (signal.aborted) return
      if (performance.now() - (this.#failed.get(reference) ?? -againMs) < againMs) continue
      try {
        await driver.ensureImage(reference, AbortSignal.any([signal, AbortSignal.timeout(pullTimeoutMs)]))
        await reportImage(db, name, reference)
        log.info({ reference }, 'image brought before it is needed')
      } catch (error) {
        this.#failed.set(reference, performance.now())
        log.warn({ reference, reason: messageOf(error) }, 'image not brought')
      }
    }
  }
}

/** Takes idle images from this host. @param isDry whether it is only told */
export async function sweepHost(host: ImageHost, isDry: boolean): Promise<HostSweep> {
  const { db, driver, config, log, name } = host
  await reportImages(db, name, await driver.images())
  const idle = await idleImages(db, { ...placeOf(host), hours: config.imageIdleHours })
  const ours = (await driver.images()).filter(isOurs(host))
  const candidates = idle.filter((digest) => ours.some((reference) => reference.endsWith(`@${digest}`)))
  if (isDry || candidates.length === 0) {
    const held = candidates.filter((digest) => driver.holdsImage(digest))
    return { removed: candidates.filter((digest) => !held.includes(digest)), in_use: held, bytes: 0 }
  }
  const before = await driver.imageBytes()
  const [removed, inUse]: [string[], string[]] = [[], []]
  for (const digest of candidates) {
    const list = (await driver.removeImage(digest, isOurs(host))) ? removed : inUse
    list.push(digest)
  }
  await reportImages(db, name, await driver.images())
  const bytes = Math.max(0, before - (await driver.imageBytes()))
  if (removed.length > 0) log.info({ images: removed, bytes }, 'idle images left the host')
  return { removed, in_use: inUse, bytes }
}
