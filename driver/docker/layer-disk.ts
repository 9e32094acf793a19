/**
 * The writable layer of an overlay2 container, carried by tar. The guest's own files are read and written by a tar inside the guest's
 * user namespace: owners, capabilities and lists of access are then the guest's, whatever ids its host gave it, and a path that the
 * guest made to lead out of its layer leads to nothing that it could not have. Only overlayfs's own mark of an opaque directory needs
 * the host's root. Source: kernel's overlayfs.rst, "whiteouts and opaque directories"; user_namespaces(7); capabilities(7).
 */
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { execa } from 'execa'
import { Unavailable } from '../../core/errors.ts'
import type { DiskEntry, DiskPart, GuestDisk } from '../disk.ts'
import { dropAttributes, hasAttribute, setAttribute } from './xattr.ts'

const opaque = 'trusted.overlay.opaque'
const timeoutMs = 3_600_000
const syncTimeoutMs = 120_000
/** A file that changed so shortly before a listing may have changed again without a new time. */
const freshSeconds = 1
const blockBytes = 512
const attributes = ['--acls', '--xattrs', '--xattrs-include=*', '--numeric-owner', '--sparse']

const format = ['--format=posix', '--pax-option=delete=atime,delete=ctime']

/** Below a directory that it has open tar follows no link: what a running guest puts in the way leads nowhere. */
function wordsOf(part: DiskPart): readonly string[] {
  switch (part.kind) {
    case 'all':
      return ['.']
    case 'newer':
      return [`--newer=@${part.seconds}`, '.']
    case 'these':
      return ['--null', '--no-recursion', '--files-from=-']
  }
}

function separated(paths: readonly string[]): Buffer {
  return Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1')
}

interface Layer {
  readonly image: string
  readonly upper: string
  /** path of the user namespace of the guest; null = it shares the host's users */
  readonly userns: string | null
}

export class LayerDisk implements GuestDisk {
  readonly image: string
  readonly #upper: string
  readonly #entrance: readonly string[]

  constructor({ image, upper, userns }: Layer) {
    this.image = image
    this.#upper = upper
    this.#entrance = userns === null ? [] : ['nsenter', `--user=${userns}`]
  }

  /** A page that is dirty when it is copied could be written to without a new time: so all are clean before. */
  async list(isLive: boolean): Promise<readonly DiskEntry[]> {
    const fresh = isLive ? Date.now() / 1000 - freshSeconds : Number.POSITIVE_INFINITY
    if (isLive) await execa('sync', ['--file-system', this.#upper], { timeout: syncTimeoutMs })
    const asked = ['.', '!', '-type', 's', '-printf', String.raw`%p\0%y %i %C@ %b\0`]
    const found = await execa('find', asked, {
      cwd: this.#upper,
      encoding: 'buffer',
      reject: false,
      timeout: timeoutMs,
    })
    if (found.exitCode !== 0 && !isLive) throw new Unavailable('The disk was not listed.')
    const fields = Buffer.from(found.stdout).toString('latin1').split('\0')
    const counted = new Set<string>()
    return Array.from({ length: Math.floor(fields.length / 2) }, (_none, index) => {
      const [path = '', words = ''] = fields.slice(2 * index, 2 * index + 2)
      const [kind = '', inode = '', changed = '', blocks = '0'] = words.split(' ')
      // A file of many names is carried once.
      const isFirst = kind === 'f' && !counted.has(inode)
      counted.add(inode)
      return {
        path,
        kind,
        stamp: Number(changed) > fresh ? '' : `${inode} ${changed}`,
        bytes: isFirst ? Number(blocks) * blockBytes : 0,
        isOpaque: kind === 'd' && hasAttribute(this.#at(path), opaque, 'y'),
      }
    })
  }

  read(part: DiskPart): Readable {
    const tar = this.#run(['tar', '--create', ...format, ...attributes, ...wordsOf(part)])
    const archive = new PassThrough()
    // 1: of a guest that runs, a file changed or went meanwhile.
    const worst = part.kind === 'these' ? 0 : 1
    tar.stdin.on('error', () => undefined)
    tar.stdin.end(part.kind === 'these' ? separated(part.paths) : '')
    const send = async (): Promise<void> => {
      await pipeline(tar.stdout, archive, { end: false })
      const { exitCode, stderr } = await tar
      if (exitCode === undefined || exitCode > worst)
        throw new Unavailable(`The disk was not read: ${stderr.slice(-500)}`)
      archive.end()
    }
    send().catch((error: unknown) => {
      tar.kill()
      archive.destroy(error instanceof Error ? error : new Unavailable('The disk was not read.'))
    })
    return archive
  }

  async write(archive: Readable): Promise<void> {
    // Tar may end before its input does: the rest is heard, so that only a broken stream is one.
    const patient = ['sh', '-c', 'tar "$@"; code=$?; cat > /dev/null; exit "$code"', 'sh']
    const words = ['--extract', '--preserve-permissions', '--same-owner', '--delay-directory-restore', ...attributes]
    const tar = this.#run([...patient, ...words])
    const fed = pipeline(archive, tar.stdin).then(
      () => null,
      (error: unknown) => error,
    )
    tar.stdout.resume()
    const { exitCode, stderr } = await tar
    const broken = await fed
    if (exitCode !== 0 && stderr !== '' && !stderr.includes('Unexpected EOF'))
      throw new Unavailable(`The disk was not written: ${stderr.slice(-500)}`, { cause: broken })
    if (broken !== null) throw broken instanceof Error ? broken : new Unavailable('The disk was not written.')
    if (exitCode !== 0) throw new Unavailable('The disk was not written: it broke off.')
  }

  async clear(entries: readonly DiskEntry[], changed: ReadonlySet<string>): Promise<void> {
    const wanted = new Map(entries.map(({ path, kind }) => [path, kind]))
    const gone: string[] = []
    for (const { path, kind } of await this.list(false)) {
      if (wanted.get(path) !== kind) gone.push(path)
      else if (kind === 'd' && changed.has(path)) dropAttributes(this.#at(path))
    }
    if (gone.length === 0) return
    const rm = this.#run(['xargs', '--null', 'rm', '--recursive', '--force', '--'])
    rm.stdin.end(separated(gone))
    rm.stdout.resume()
    const { exitCode, stderr } = await rm
    if (exitCode !== 0) throw new Unavailable(`The disk was not cleared: ${stderr.slice(-500)}`)
  }

  mark(entries: readonly DiskEntry[]): void {
    for (const { path, kind, isOpaque } of entries) {
      if (kind !== 'd') continue
      const file = this.#at(path)
      if (hasAttribute(file, opaque, 'y') === isOpaque) continue
      if (isOpaque) setAttribute(file, opaque, 'y')
      else dropAttributes(file, opaque)
    }
  }

  #at(path: string): string {
    return `${Buffer.from(this.#upper).toString('latin1')}/${path}`
  }

  /** In the layer, as the guest's root. */
  #run(words: readonly string[]) {
    const [program = '', ...rest] = [...this.#entrance, ...words]
    return execa(program, rest, {
      cwd: this.#upper,
      stdin: 'pipe',
      stdout: 'pipe',
      buffer: { stdout: false, stderr: true },
      reject: false,
      timeout: timeoutMs,
      env: { LC_ALL: 'C' },
    })
  }
}
