/** At the target, while the guest runs on at its source: all that can be had beforehand, so that it is off for a short time only. */
import { messageOf, NotFound, Superseded, Unavailable } from '../../core/errors.ts'
import { reach } from '../../core/failpoints.ts'
import type { JobPayload } from '../../core/jobs.ts'
import type { Transport } from '../../core/moves.ts'
import type { Server } from '../../core/server.ts'
import { releaseClaim } from '../../db/hosts.ts'
import { openMove, setMove, type Move } from '../../db/moves.ts'
import { abandon, findServer } from '../../db/servers.ts'
import { vifsOf } from '../../db/vifs.ts'
import type { GuestDisk } from '../../driver/disk.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { prepare, step } from '../create.ts'
import { demolish } from '../delete.ts'
import type { Host } from '../host.ts'
import { isWorthAnother } from '../passing.ts'
import { arrivedFile, bytesIn, precopy } from './delta.ts'
import { MoveProgress } from './progress.ts'
import { DistantDisk, type Listing } from './read-disk.ts'

/** An extra spec of a flavor: by which transport its servers move. */
const transportSpec = 'berth:transport'

interface Means {
  readonly transport: Transport
  readonly reason: string
}

/** The server as it is to be at the target. */
export function landing(server: Server, move: Move): Server {
  return { ...server, flavor: move.newFlavor }
}

function wishOf({ config }: Host, move: Move): Means | null {
  const spec = move.newFlavor.extraSpecs[transportSpec]
  if (spec === 'registry') return { transport: 'registry', reason: `its flavor says so (${transportSpec})` }
  if (spec !== 'delta' && config.moveTransport === 'registry')
    return { transport: 'registry', reason: 'the setting moveTransport of its target says so' }
  return null
}

/** The container here, empty and of the same image, and its disk; null where none is kept file by file. */
async function emptyDisk(host: Host, server: Server): Promise<GuestDisk | null> {
  const { db, driver, wires } = host
  const namespace = await step(server.id, 'namespace', wires.ensureNamespace(server.id))
  const vifs = await vifsOf(db, server.id)
  await prepare(host, { server, vifs, namespace, adminPassword: null }, { isSeeded: false })
  return await driver.disk(server.id)
}

interface Task {
  readonly server: Server
  readonly move: Move
  readonly progress: MoveProgress
}

async function listingOf(from: DistantDisk): Promise<Listing | null> {
  try {
    return await from.list()
  } catch (error) {
    if (error instanceof NotFound) return null
    throw error
  }
}

/** @returns how the disk goes from here on; all of it that can go has gone */
async function fetchAhead(host: Host, { server, move, progress }: Task): Promise<Means> {
  const { config, db, driver, name, turns } = host
  await progress.enter('estimate')
  // What an earlier stay left here is older than the disk at its source; who has begun to take it away ends before.
  await turns.at(server.id, () => demolish(host, server.id, []))
  const from = await DistantDisk.of(db, move.sourceHost, server.id)
  const first = from && (await step(server.id, 'estimate', listingOf(from)))
  await progress.enter('begin', first ? bytesIn(first.entries) : 0)
  const wish = wishOf(host, move)
  if (wish || !from || !first) {
    const pulling = driver.ensureImage(server.imageReference, AbortSignal.timeout(config.bootTimeoutSeconds * 1000))
    await step(server.id, 'image', pulling)
    return wish ?? { transport: 'registry', reason: `${move.sourceHost} offers no disks file by file` }
  }
  const to = await emptyDisk(host, landing(server, move))
  if (to?.image !== first.image) {
    await demolish(host, server.id, [])
    const reason = to ? `${name} has another image beneath it` : `the storage driver of ${name} keeps no files apart`
    return { transport: 'registry', reason }
  }
  reach(config, 'agent.expect.begun')
  await progress.enter('sync')
  await step(server.id, 'sync', precopy({ from, to, progress }, first, arrivedFile(config.home, server.id)))
  return { transport: 'delta', reason: 'both hosts keep what a guest wrote file by file' }
}

/** The guest has run at its source all the while, and goes on there. */
async function giveUp(host: Host, { server, move }: Omit<Task, 'progress'>, error: unknown): Promise<void> {
  const { db, name } = host
  await demolish(host, server.id, [])
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'error' })
    await releaseClaim(trx, server.id, name)
    await abandon(trx, server.id, 'resize_migrating', { code: 500, message: messageOf(error), details: '', host: name })
  })
}

/** The server and its move, as long as they wait for this host. */
async function awaited({ db, name }: Host, serverId: string): Promise<Omit<Task, 'progress'> | null> {
  const server = await findServer(db, serverId)
  const move = server && (await openMove(db, serverId))
  const isAwaited = server?.taskState === 'resize_migrating' && move?.status === 'migrating' && move.targetHost === name
  return isAwaited ? { server, move } : null
}

export async function expect(host: Host, payload: JobPayload<'server.expect'>): Promise<void> {
  const { db, log, name } = host
  const task = await awaited(host, payload.serverId)
  if (!task) return
  const { server, move } = task
  const progress = new MoveProgress(host, move)
  try {
    const { transport, reason } = await fetchAhead(host, { ...task, progress })
    await progress.end()
    if (!(await awaited(host, server.id))) throw new Superseded(server.id)
    await db.transaction(async (trx) => {
      await setMove(trx, move.id, { transport, transportReason: reason })
      await enqueue(trx, 'server.migrate', payload, move.sourceHost)
    })
    log.info({ serverId: server.id, source: move.sourceHost, transport, reason }, 'guest expected')
  } catch (error) {
    if (error instanceof Superseded || !(await awaited(host, server.id))) {
      await demolish(host, server.id, [])
      return
    }
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, host: name, err: error }, 'guest not expected')
    await giveUp(host, task, error)
  }
}

/** @throws Unavailable when the agent at the source offers no disks any more */
export async function sourceDisk({ db }: Host, { move, server }: Omit<Task, 'progress'>): Promise<DistantDisk> {
  const from = await DistantDisk.of(db, move.sourceHost, server.id)
  if (!from) throw new Unavailable(`${move.sourceHost} offers no disks.`)
  return from
}
