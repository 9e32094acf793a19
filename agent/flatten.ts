/** Images of many layers become images of one, in the background: each layer costs a pull and a mount its time. */
import { messageOf } from '../core/errors.ts'
import { claimFlattening, finishFlattening, refer } from '../db/image-care.ts'
import { whileWriting } from '../db/registry-writers.ts'
import { serversOnHost } from '../db/servers.ts'
import type { ComputeDriver } from '../driver/driver.ts'
import { archiveSize } from '../registry/archive.ts'
import { putChild, readImage } from '../registry/image.ts'
import { partsOf, type Registry } from '../registry/registry.ts'
import type { ImageHost } from './image-care.ts'
import { captureDirectory } from './save-image.ts'

/** The same files, owners, modes and attributes in one layer, and the same config. @returns its reference by digest */
export async function flatten(
  { driver, registry }: { readonly driver: Pick<ComputeDriver, 'captureImage'>; readonly registry: Registry },
  reference: string,
  scratch: string,
): Promise<string> {
  const parent = await readImage(registry, reference)
  const archive = await driver.captureImage(reference, scratch)
  const created = { archive, isWhole: true, createdBy: `berth flatten ${reference}`, labels: {} }
  return await putChild(parent, parent.repository, created)
}

/** @returns whether there was an image to flatten */
async function flattenImage(host: ImageHost): Promise<boolean> {
  const { db, config, registry, log, name } = host
  const image = await claimFlattening(db, { host: name, budget: config.imageLayers })
  if (!image) return false
  await whileWriting(db, async () => {
    const reference = await flatten(host, image.reference, captureDirectory(config))
    const sizeBytes = await archiveSize(registry, reference)
    const isDone = await finishFlattening(db, image, { reference, sizeBytes, layers: 1 })
    log.info({ imageId: image.id, layers: image.layers, reference, isDone }, 'image flattened')
  })
  return true
}

/** Counts the layers of what servers here are made of, each image once. */
export class Flattener {
  readonly #host: ImageHost
  readonly #layers = new Map<string, number>()

  constructor(host: ImageHost) {
    this.#host = host
  }

  async look(signal: AbortSignal): Promise<void> {
    const { log } = this.#host
    try {
      while (!signal.aborted && (await flattenImage(this.#host)));
      await this.#flattenServers(signal)
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'images not flattened')
    }
  }

  /** Each move adds a layer to the image of a server: no row of images has it. */
  async #flattenServers(signal: AbortSignal): Promise<void> {
    const { db, config, log, name } = this.#host
    for (const { id: serverId, imageReference: from, taskState } of await serversOnHost(db, name)) {
      if (signal.aborted) return
      if (taskState !== null || partsOf(from)?.name !== `servers/${serverId}`) continue
      if ((await this.#layersOf(from)) <= config.imageLayers) continue
      await whileWriting(db, async () => {
        const to = await flatten(this.#host, from, captureDirectory(config))
        const isDone = await refer(db, { serverId, from, to })
        log.info({ serverId, from, to, isDone }, 'image of a server flattened')
      })
    }
  }

  async #layersOf(reference: string): Promise<number> {
    const known = this.#layers.get(reference)
    if (known !== undefined) return known
    const { length } = (await readImage(this.#host.registry, reference)).manifest.layers
    this.#layers.set(reference, length)
    return length
  }
}
