/**
 * The guest's own files go from agent to agent: all of them while it runs, again what changed meanwhile as long as that is much, and
 * the rest when it is off. What arrived is kept in a file beside the guest: the listing that the source gave before it sent.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { CloudError, hasCode, messageOf, PartSilent, Unavailable } from '../../core/errors.ts'
import { changedSince, type DiskEntry, type DiskPart, type GuestDisk } from '../../driver/disk.ts'
import type { MoveProgress } from './progress.ts'
import { listingShape, type DistantDisk, type Listing } from './read-disk.ts'

/** Fewer bytes than these are left for the time when the guest is off. */
const littleBytes = 16 * 1024 * 1024
const mostPasses = 4
/** An agent that is started anew listens within a few seconds. */
const patienceMs = 30_000
const pollMs = 250

/** path -> stamp of what has arrived */
type Arrived = ReadonlyMap<string, string>

export function arrivedFile(home: string, serverId: string): string {
  return join(home, 'run', 'moves', `${serverId}.json`)
}

async function keep(path: string, { entries }: Pick<Listing, 'entries'>): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
  await writeFile(`${path}.new`, JSON.stringify(entries), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** @returns null when nothing has arrived, or not to the end */
export async function arrivedAt(path: string): Promise<Arrived | null> {
  try {
    const entries = listingShape.shape.entries.parse(JSON.parse(await readFile(path, 'utf8')))
    return new Map(entries.map((entry) => [entry.path, entry.stamp]))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

export async function forgetArrived(home: string, serverId: string): Promise<void> {
  for (const end of ['', '.new']) await rm(`${arrivedFile(home, serverId)}${end}`, { force: true })
}

export function bytesIn(entries: readonly DiskEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0)
}

interface Ends {
  readonly from: DistantDisk
  readonly to: GuestDisk
  readonly progress: MoveProgress
}

async function carry({ from, to, progress }: Ends, what: DiskPart): Promise<void> {
  const archive = await from.read(what)
  try {
    await to.write(Readable.from(progress.of(archive)))
  } catch (error) {
    if (error instanceof CloudError) throw error
    throw new PartSilent(`The disk did not arrive: ${messageOf(error)}`, { cause: error })
  }
}

/** When the file last changed; a stamp ends with it. */
function secondsOf({ stamp }: DiskEntry): number {
  return stamp === '' ? Number.POSITIVE_INFINITY : Number(stamp.split(' ')[1])
}

/** A file that a renamed directory took to another path has arrived there only if it changed as well. */
function withDoubts(now: Listing, arrived: Arrived, since: number): Listing {
  const entries = now.entries.map((entry) =>
    arrived.get(entry.path) === entry.stamp || secondsOf(entry) > since ? entry : { ...entry, stamp: '' },
  )
  return { ...now, entries }
}

/**
 * While the guest runs. Its disk here must be empty.
 *
 * @param first the listing of the source that was made before
 */
export async function precopy(ends: Ends, first: Listing, file: string): Promise<void> {
  await carry(ends, { kind: 'all' })
  await keep(file, first)
  for (let [passes, last] = [1, first]; passes < mostPasses; passes += 1) {
    const now = await ends.from.list()
    const arrived = new Map(last.entries.map(({ path, stamp }) => [path, stamp]))
    const changed = changedSince(arrived, now.entries)
    if (bytesIn(changed) < littleBytes) return
    await ends.to.clear(now.entries, new Set(changed.map(({ path }) => path)))
    await carry(ends, { kind: 'newer', seconds: last.seconds })
    last = withDoubts(now, arrived, last.seconds)
    await keep(file, last)
  }
}

/** Waits for an agent that is being started again. @throws Unavailable: the guest is off, and its own host has it up again sooner */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + patienceMs; ;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof PartSilent)) throw error
      if (performance.now() > deadline) throw new Unavailable(error.message, { cause: error.cause })
    }
    await sleep(pollMs)
  }
}

/** When the guest is off: its disk here is the same as there when this returns. */
export async function finishCopy({ from, to, progress }: Ends, arrived: Arrived): Promise<void> {
  await patiently(async () => {
    const { image, isLive, entries } = await from.list('off')
    if (isLive) throw new Unavailable('The guest still runs at its source.')
    if (image !== to.image) throw new Unavailable('The guest is of another image at its source.')
    const changed = changedSince(arrived, entries).map(({ path }) => path)
    await to.clear(entries, new Set(changed))
    if (changed.length > 0) await carry({ from, to, progress }, { kind: 'these', paths: changed })
    to.mark(entries)
  })
}
