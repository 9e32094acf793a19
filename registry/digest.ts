import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'

/** Passes bytes through; knows their digest and number at the end. */
export class Digest extends Transform {
  readonly #hash
  #size = 0

  constructor(algorithm: 'md5' | 'sha256' | 'sha512' = 'sha256') {
    super()
    this.#hash = createHash(algorithm)
  }

  override _transform(chunk: Buffer, _: string, done: (error: null, chunk: Buffer) => void): void {
    this.#hash.update(chunk)
    this.#size += chunk.length
    done(null, chunk)
  }

  /** bytes that went through so far */
  get size(): number {
    return this.#size
  }

  /** Ends the digest. @returns hexadecimal digits */
  hex(): string {
    return this.#hash.digest('hex')
  }
}

/** As registries write it: 'sha256:' and 64 hexadecimal digits. */
export function digestOfText(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
