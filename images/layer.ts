/** A root file system as the one layer of an OCI image: packed once, told by its digests ever after. */
import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { z } from 'zod'
import { hasCode } from '../core/errors.ts'
import { Digest } from '../registry/digest.ts'

const packed = z.object({ diffId: z.string(), digest: z.string(), size: z.number() })

/** A packed layer, as a registry takes it. */
export interface Layer {
  /** the packed file */
  readonly path: string
  /** sha256:... of the archive before packing; source: OCI image spec, config.md */
  readonly diffId: string
  /** sha256:... of the packed file */
  readonly digest: string
  /** bytes of the packed file */
  readonly size: number
}

async function known(path: string): Promise<Layer | null> {
  try {
    return { path, ...packed.parse(JSON.parse(await readFile(`${path}.json`, 'utf8'))) }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/** Packs an archive, or finds it packed. Level 1: the layer goes over loopback, so the time to pack counts and the size does not. */
export async function layerOf(tarPath: string): Promise<Layer> {
  const path = `${tarPath}.gz`
  const present = await known(path)
  if (present) return present
  const unfinished = `${path}.${randomUUID()}.new`
  const [plain, gzipped] = [new Digest(), new Digest()]
  await pipeline(createReadStream(tarPath), plain, createGzip({ level: 1 }), gzipped, createWriteStream(unfinished))
  const { size } = await stat(unfinished)
  const facts = { diffId: `sha256:${plain.hex()}`, digest: `sha256:${gzipped.hex()}`, size }
  await rename(unfinished, path)
  await writeFile(`${path}.json`, JSON.stringify(facts))
  return { path, ...facts }
}
