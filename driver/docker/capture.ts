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

/** @param file '-' = standard output */
function wordsOfTar({ upper }: Layers, file: string): readonly string[] {
  const kept = ['security.capability', 'trusted.overlay.*', 'user.*']
  const words = ['--format=posix', '--xattrs', ...kept.map((name) => `--xattrs-include=${name}`)]
  return ['--create', `--file=${file}`, `--directory=${upper}`, '--numeric-owner', ...words, '.']
}

/** 1: a socket, or a file that changed meanwhile. */
function checkTar({ exitCode, stderr }: { readonly exitCode?: number | undefined; readonly stderr: string }): void {
  if (exitCode !== 0 && exitCode !== 1) throw new Unavailable(`The disk was not read: ${stderr}`)
}

/** Copies the disk to one file, as it is now. @param layers of the guest; null = the whole file system, by the engine */
async function spool(container: Docker.Container, layers: Layers | null, path: string): Promise<void> {
  if (layers === null) {
    await pipeline(await container.export(), createWriteStream(path, { mode: 0o600 }))
    return
  }
  checkTar(await execa('tar', wordsOfTar(layers, path), { reject: false, timeout: packTimeoutMs }))
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

const capability = `${xattr}security.capability`
const ownAttribute = `${xattr}user.`

/**
 * What of an entry's attributes goes into the layer: parts of a second, and what the guest noted. Names and sizes are written anew, and
 * overlayfs's marks mean nothing elsewhere. A value that is not text cannot be carried through: a capability for a named user namespace
 * is none in another.
 */
function keptAttributes(given: Attributes): Attributes | null {
  const kept = Object.entries(given).filter(
    ([name, value]) =>
      (name === 'mtime' || name === capability || name.startsWith(ownAttribute)) && !value.includes('\uFFFD'),
  )
  return kept.length === 0 ? null : Object.fromEntries(kept)
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
    // Whoever reads the layer may leave in the middle of a file.
    entry.on('error', reject)
    if (content) content.pipe(entry)
    else entry.end(null)
  })
}

/** An archive, and whether it came to its end. */
interface Raw {
  readonly stream: Readable
  readonly ended: () => Promise<void>
}

async function rewrite({ stream: raw, ended }: Raw, layer: Pack, filter: Filter): Promise<void> {
  const entries = extract()
  pipeline(raw, entries).catch((error: unknown) => layer.destroy(asError(error)))
  for await (const entry of entries) {
    const [first, ...more] = entriesOf(entry.header, filter)
    if (first) await put(layer, first, first.type === 'file' && first.size ? entry : null)
    for (const header of more) await put(layer, header, null)
    entry.resume()
  }
  await ended()
  layer.finalize()
}

/** The disk of a guest that is off, as it lies there. */
function readOff(layers: Layers): Raw {
  const tar = execa('tar', wordsOfTar(layers, '-'), {
    reject: false,
    timeout: packTimeoutMs,
    buffer: { stdout: false, stderr: true },
  })
  return { stream: tar.stdout, ended: async () => checkTar(await tar) }
}

async function readCopy(scratch: string, copying: (path: string) => Promise<void>): Promise<Raw> {
  await mkdir(scratch, { recursive: true, mode: 0o700 })
  const path = join(scratch, `disk-${randomUUID()}.tar`)
  try {
    await copying(path)
  } catch (error) {
    await rm(path, { force: true })
    throw new Unavailable(`The disk was not read: ${messageOf(error)}`, { cause: error })
  }
  // The name goes at once: the open file stays as long as it is read.
  const copy = await open(path)
  await rm(path)
  return { stream: copy.createReadStream(), ended: () => Promise.resolve() }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}

interface How extends Filter {
  readonly scratch: string
  readonly isOff: boolean
  readonly frozen: (work: () => Promise<void>) => Promise<void>
}

/**
 * @param scratch directory for a copy of the disk, which is gone when the stream has ended
 * @param isOff   whether the guest stays off until then: no copy is made where its changes lie apart
 * @param frozen  runs its argument while the guest stands still
 * @returns       the archive of a layer
 */
export async function capture(
  container: Docker.Container,
  { scratch, isOff, frozen, ...filter }: How,
): Promise<Readable> {
  const { layers } = filter
  const raw =
    isOff && layers ? readOff(layers) : await readCopy(scratch, (path) => frozen(() => spool(container, layers, path)))
  const layer = pack()
  layer.once('close', () => raw.stream.destroy())
  rewrite(raw, layer, filter).catch((error: unknown) => layer.destroy(asError(error)))
  return Readable.from(layer)
}
