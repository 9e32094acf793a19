/** What a file is that somebody uploads, found out while it passes by. */
import { PassThrough, Transform, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { Digest } from './digest.ts'

export type FileKind =
  /** the archive of a root file system: what a layer is */
  | { readonly kind: 'root'; readonly packing: 'tar' | 'gzip'; readonly diffId: string }
  /** what `docker save` writes, or an OCI image layout in one file */
  | { readonly kind: 'docker-archive' | 'oci-archive' }
  /** anything else: kept as it came */
  | { readonly kind: 'bytes' }

const rootPaths = /^(\.\/)?(etc|usr|bin|sbin|lib|init)(\/|$)/
const gzipMagic = Buffer.from([0x1f, 0x8b])

/** Passes bytes through, a copy of them goes aside; who looks at the copy sets the pace as well. */
class Copying extends Transform {
  readonly #aside: PassThrough

  constructor(aside: PassThrough) {
    super()
    this.#aside = aside
  }

  override _transform(chunk: Buffer, _: string, done: (error: null, chunk: Buffer) => void): void {
    if (this.#aside.write(chunk)) done(null, chunk)
    else this.#aside.once('drain', () => done(null, chunk))
  }

  override _flush(done: () => void): void {
    this.#aside.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#aside.destroy()
    done(error)
  }
}

async function namesIn(archive: Readable): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  const entries = extract()
  archive.once('error', (error) => entries.destroy(error))
  archive.pipe(entries)
  for await (const entry of entries) {
    entry.resume()
    const name = entry.header.name.replace(/^\.\//, '')
    if (name === 'manifest.json' || name === 'oci-layout') found.add(name)
    else if (rootPaths.test(name)) found.add('root')
  }
  return found
}

async function lookAt(copy: Readable): Promise<FileKind> {
  const first = await new Promise<Buffer | null>((resolve) => {
    copy.once('end', () => resolve(null))
    copy.once('readable', () => {
      const chunk: unknown = copy.read()
      if (!Buffer.isBuffer(chunk)) return
      copy.unshift(chunk)
      resolve(chunk)
    })
  })
  const isGzip = first?.subarray(0, 2).equals(gzipMagic) === true
  const digest = new Digest()
  const unpacked = isGzip ? copy.pipe(createGunzip()).once('error', (error) => digest.destroy(error)) : copy
  const names = await namesIn(unpacked.pipe(digest))
  if (names.has('oci-layout')) return { kind: 'oci-archive' }
  if (names.has('manifest.json')) return { kind: 'docker-archive' }
  if (!names.has('root')) return { kind: 'bytes' }
  return { kind: 'root', packing: isGzip ? 'gzip' : 'tar', diffId: `sha256:${digest.hex()}` }
}

/** @returns a stream to put between, and what passed through it, known when it has ended */
export function probe(): { readonly through: Transform; readonly kind: Promise<FileKind> } {
  const aside = new PassThrough()
  const through = new Copying(aside)
  const kind = lookAt(aside).catch((): FileKind => {
    // No archive, or a broken one: the rest is not looked at.
    aside.unpipe()
    aside.resume()
    return { kind: 'bytes' }
  })
  return { through, kind }
}
