import type Docker from 'dockerode'
import { ensureLocal, listReferences, type ImageSources, type LocalImage } from './images.ts'

/** A digest never means another image: asked for once, it is known, until it turns out to be gone. */
export class Images {
  readonly #docker: Docker
  readonly #sources: ImageSources
  readonly #asked = new Map<string, Promise<LocalImage>>()
  readonly #known = new Map<string, LocalImage>()

  constructor(docker: Docker, sources: ImageSources) {
    this.#docker = docker
    this.#sources = sources
  }

  /** @returns its local id */
  async ensure(reference: string, signal?: AbortSignal): Promise<string> {
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

  /** The engine may have lost one: all are asked for anew. */
  forget(): void {
    this.#asked.clear()
  }
}
