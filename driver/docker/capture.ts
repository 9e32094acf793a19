/**
 * A guest's disk as a tar archive. Its changes alone are read from the writable layer, as overlayfs keeps them: a deleted file is a
 * device 0/0 and a directory put in another's place is marked opaque, where an OCI layer has names that begin with `.wh.`.
 * Source: kernel's overlayfs.rst, "whiteouts and opaque directories"; OCI image spec, layer.md.
 */
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type Docker from 'dockerode'
import { execa } from 'execa'
import { extract, pack, type Extract, type Header, type Pack } from 'tar-stream'
import { z } from 'zod'
import { messageOf, Unavailable } from '../../core/errors.ts'
import type { Fate } from '../driver.ts'
import type { Layers } from './upper.ts'

const xattr = 'SCHILY.xattr.'
/** Marks of overlayfs that point to other layers: what they stand for is not in this one. */
const elsewhere = [`${xattr}trusted.overlay.redirect`, `${xattr}trusted.overlay.metacopy`]
const packTimeoutMs = 600_000

/** Copies the disk to one file, as it is now. @param layers of the guest; null = the whole file system, by the engine */
async function spool(container: Docker.Container, layers: Layers | null, path: string): Promise<void> {
  if (layers === null) {
    await pipeline(await container.export(), createWriteStream(path, { mode: 0o600 }))
    return
  }
  const words = ['--xattrs', '--xattrs-include=security.capability', '--xattrs-include=trusted.overlay.*']
  const { exitCode, stderr } = await execa(
    'tar',
    ['--create', `--file=${path}`, `--directory=${layers.upper}`, '--numeric-owner', ...words, '.'],
    { reject: false, timeout: packTimeoutMs },
  )
  // 1: a socket, or a file that changed meanwhile.
  if (exitCode !== 0 && exitCode !== 1) throw new Unavailable(`The disk was not read: ${stderr}`)
}

function plain(name: string): string {
  return name.replace(/^\.?\/+/, '').replace(/\/+$/, '')
}

const attributes = z.record(z.string(), z.string()).catch({})
type Attributes = z.output<typeof attributes>
type NewEntry = Partial<Header> & Pick<Header, 'name'>
type Source = Extract extends AsyncIterable<infer Entry> ? Entry : never
/** Beyond the bits that are written: without it the packer would take mode 0 for none given. */
const modeGiven = 0o100000

/** What of an entry's attributes goes into the layer: names and sizes are written anew, and overlayfs's marks mean nothing elsewhere. */
function keptAttributes(given: Attributes): Attributes | null {
  const capability = given[`${xattr}security.capability`]
  // A value that is not text cannot be carried through; a capability for a named user namespace is none in another.
  return capability === undefined || capability.includes('\uFFFD')
    ? null
    : { [`${xattr}security.capability`]: capability }
}

/** OCI's marks are empty files. */
function mark(name: string): NewEntry {
  return { name, type: 'file', size: 0, mode: modeGiven }
}

/** The entries that stand for one of the writable layer; none = it is left out. */
function entriesOf(header: Header, { layers, fateOf }: Filter): readonly NewEntry[] {
  const name = plain(header.name)
  const given = attributes.parse(header.pax ?? {})
  if (name === '' || header.type === 'contiguous-file') return []
  if (elsewhere.some((name) => given[name] !== undefined))
    throw new Unavailable(`The disk was not read: ${name} was moved from another layer.`)
  const isWhiteout = layers !== null && header.type === 'character-device' && !header.devmajor && !header.devminor
  if (isWhiteout) return [mark(join(dirname(name), `.wh.${basename(name)}`))]
  const fate = fateOf(name)
  if (fate === 'drop') return []
  const linkname = header.type === 'link' ? plain(header.linkname) : header.linkname
  if (header.type === 'link' && fateOf(linkname) !== 'keep') return []
  const shift = layers?.rootUid ?? 0
  const entry: NewEntry = {
    name,
    type: header.type,
    mode: header.mode | modeGiven,
    mtime: header.mtime,
    uid: Math.max(0, header.uid - shift),
    gid: Math.max(0, header.gid - shift),
    size: fate === 'blank' ? 0 : header.size,
    linkname,
    devmajor: header.devmajor,
    devminor: header.devminor,
    pax: keptAttributes(given),
  }
  const isOpaque = given[`${xattr}trusted.overlay.opaque`] === 'y'
  return isOpaque ? [entry, mark(join(name, '.wh..wh..opq'))] : [entry]
}

interface Filter {
  readonly layers: Layers | null
  readonly fateOf: (path: string) => Fate
}

async function put(layer: Pack, header: NewEntry, content: Source | null): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const entry = layer.entry(header, (error) => (error ? reject(error) : resolve()))
    if (content) content.pipe(entry)
    else entry.end(null)
  })
}

async function rewrite(raw: Readable, layer: Pack, filter: Filter): Promise<void> {
  const entries = extract()
  pipeline(raw, entries).catch((error: unknown) => layer.destroy(asError(error)))
  for await (const entry of entries) {
    const [first, ...more] = entriesOf(entry.header, filter)
    if (first) await put(layer, first, first.type === 'file' && first.size ? entry : null)
    for (const header of more) await put(layer, header, null)
    entry.resume()
  }
  layer.finalize()
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}

/**
 * @param scratch directory for a copy of the disk, which is gone when the stream has ended
 * @param frozen  runs its argument while the guest stands still
 * @returns       the archive of a layer
 */
export async function capture(
  container: Docker.Container,
  { scratch, frozen, ...filter }: Filter & { scratch: string; frozen: (work: () => Promise<void>) => Promise<void> },
): Promise<Readable> {
  await mkdir(scratch, { recursive: true, mode: 0o700 })
  const path = join(scratch, `disk-${randomUUID()}.tar`)
  try {
    await frozen(() => spool(container, filter.layers, path))
  } catch (error) {
    await rm(path, { force: true })
    throw new Unavailable(`The disk was not read: ${messageOf(error)}`, { cause: error })
  }
  const layer = pack()
  // The name goes at once: the open file stays as long as it is read.
  const copy = await open(path)
  await rm(path)
  const raw = copy.createReadStream()
  layer.once('close', () => raw.destroy())
  rewrite(raw, layer, filter).catch((error: unknown) => layer.destroy(asError(error)))
  return Readable.from(layer)
}
