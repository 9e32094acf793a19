import type Docker from 'dockerode'
import { ensureLocal, listReferences, removeImage, type ImageSources, type LocalImage } from './images.ts'

/** Who asked for an image is about to make a guest of it, and takes no longer than this. */
const heldMs = 600_000

/** A digest never means another image: asked for once, it is known, until it turns out to be gone. */
export class Images {
  readonly #docker: Docker
  readonly #sources: ImageSources
  readonly #asked = new Map<string, Promise<LocalImage>>()
  readonly #known = new Map<string, LocalImage>()
  /** digest -> when it was last asked for */
  readonly #askedAt = new Map<string, number>()
  #removing: Promise<unknown> = Promise.resolve()

  constructor(docker: Docker, sources: ImageSources) {
    this.#docker = docker
    this.#sources = sources
  }

  /** @returns its local id */
  async ensure(reference: string, signal?: AbortSignal): Promise<string> {
    this.#askedAt.set(reference.slice(reference.lastIndexOf('@') + 1), performance.now())
    await this.#removing
    const asked = this.#asked.get(reference) ?? ensureLocal(this.#docker, reference, { sources: this.#sources, signal })
    this.#asked.set(reference, asked)
    try {
      const image = await asked
      this.#known.set(image.id, image)
      return image.id
    } catch (error) {
      this.#asked.delete(reference)
      throw error
    }
  }

  async ofId(id: string): Promise<LocalImage> {
    return this.#known.get(id) ?? (await ensureLocal(this.#docker, id, { sources: () => Promise.resolve([]) }))
  }

  async references(): Promise<readonly string[]> {
    return await listReferences(this.#docker)
  }

  /** Whether somebody asked for it so lately that a guest may be about to be made of it. */
  isHeld(digest: string): boolean {
    return performance.now() - (this.#askedAt.get(digest) ?? -heldMs) < heldMs
  }

  /** @returns false when a guest is made of it, or is about to be */
  async remove(digest: string, isOurs: (reference: string) => boolean): Promise<boolean> {
    await this.#removing
    if (this.isHeld(digest)) return false
    this.forget()
    const removing = removeImage(this.#docker, digest, isOurs)
    this.#removing = removing.catch(() => undefined)
    return await removing
  }

  /** The engine may have lost one: all are asked for anew. */
  forget(): void {
    this.#asked.clear()
  }
}
