/** What a guest wrote since its image, as files that can be carried to another host while the guest runs. */
import type { Readable } from 'node:stream'

/** One file, directory, link, device or pipe of the writable layer. */
export interface DiskEntry {
  /** such as './etc/motd'; each character is one byte, since a guest may name its files as it likes; '.' is the root */
  readonly path: string
  /** find's letter: f, d, l, p, c, b */
  readonly kind: string
  /** changes whenever the file does, by whatever means; '' = it may be changing now */
  readonly stamp: string
  readonly bytes: number
  /** a directory that hides the one of the layers under it */
  readonly isOpaque: boolean
}

/**
 * Which files an archive holds: all; those that changed after this time of the host's clock, by which a file that came along with a
 * renamed directory is missed; or these alone, of a guest that does not run.
 */
export type DiskPart =
  | { readonly kind: 'all' }
  | { readonly kind: 'newer'; readonly seconds: number }
  | { readonly kind: 'these'; readonly paths: readonly string[] }

/**
 * What is not, or not surely, as it was in an earlier listing, in the order of the later one. A directory in which a file is made anew
 * gets a new time by that: it is carried with it.
 *
 * @param earlier path -> stamp
 */
export function changedSince(
  earlier: ReadonlyMap<string, string>,
  entries: readonly DiskEntry[],
): readonly DiskEntry[] {
  const wanted = new Set<string>()
  for (const { path, stamp } of entries) {
    if (stamp !== '' && earlier.get(path) === stamp) continue
    wanted.add(path)
    if (path !== '.') wanted.add(path.slice(0, path.lastIndexOf('/')))
  }
  return entries.filter(({ path }) => wanted.has(path))
}

/**
 * The writable layer of a guest. Owners, modes, times, extended attributes, capabilities, lists of access, holes, hard links, whiteouts
 * and opaque directories are carried; ids are those inside the guest, so both hosts may give them to users of their own.
 */
export interface GuestDisk {
  /** the image beneath it: a layer belongs on one alone */
  readonly image: string
  /**
   * What is there, and how large. Whatever changes after this was called has another stamp in the next listing.
   *
   * @param isLive whether the guest may write meanwhile
   */
  list(isLive: boolean): Promise<readonly DiskEntry[]>
  /** A tar archive. */
  read(part: DiskPart): Readable
  /** Unpacks such an archive. The guest must never have run. @throws Unavailable, as when the disk is full */
  write(archive: Readable): Promise<void>
  /** What is not in the listing, or is there as another kind, goes, and what changed loses its attributes. The guest must never have run. */
  clear(entries: readonly DiskEntry[], changed: ReadonlySet<string>): Promise<void>
  /** Directories are opaque as the listing says. The guest must never have run. */
  mark(entries: readonly DiskEntry[]): void
}
