import { reportImages } from '../db/host-images.ts'
import type { Host } from './host.ts'

/** Tells which images are on the host, whenever that has changed. */
export class ImageReport {
  readonly #host: Host
  #told: string | null = null

  constructor(host: Host) {
    this.#host = host
  }

  async tell(): Promise<void> {
    const { db, driver, name } = this.#host
    const references = (await driver.images()).toSorted()
    const text = references.join('\n')
    if (text === this.#told) return
    await reportImages(db, name, references)
    this.#told = text
  }
}
