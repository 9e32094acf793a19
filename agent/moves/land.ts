/** At the target: the server is here from now on, or goes home. */
import { CloudError, messageOf, Superseded } from '../../core/errors.ts'
import { reach } from '../../core/failpoints.ts'
import type { JobPayload } from '../../core/jobs.ts'
import type { Server } from '../../core/server.ts'
import { powerStates } from '../../core/states.ts'
import { Undo } from '../../core/undo.ts'
import { withEvent } from '../../db/action-events.ts'
import { releaseClaim } from '../../db/hosts.ts'
import { handOver, openMove, setMove, type Move } from '../../db/moves.ts'
import { addFault, findServer, finish, updateServer } from '../../db/servers.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { build, step } from '../create.ts'
import { demolish } from '../delete.ts'
import type { Host } from '../host.ts'
import { isWorthAnother } from '../passing.ts'
import { arrivedAt, arrivedFile, finishCopy, forgetArrived } from './delta.ts'
import { landing, sourceDisk } from './expect.ts'
import { MoveProgress } from './progress.ts'

/** The source has all of it still, and brings the guest up again. */
async function sendHome(
  { db, name }: Host,
  server: Server,
  { move, payload, reason }: { move: Move; payload: JobPayload<'server.land'>; reason: string },
): Promise<void> {
  await db.transaction(async (trx) => {
    await handOver(trx, server.id, { from: 'resize_finish', to: 'resize_reverting', host: move.sourceHost })
    await releaseClaim(trx, server.id, name)
    await addFault(trx, server.id, { code: 500, message: reason, details: '', host: name })
    await enqueue(trx, 'server.revert-resize', payload, move.sourceHost)
  })
}

interface Arrival {
  readonly server: Server
  readonly move: Move
  readonly undo: Undo
}

/** Of the image that the source put into the registry. */
async function buildOfImage(host: Host, { server, move, undo }: Arrival): Promise<string> {
  const { reference } = move
  if (reference === null) throw new CloudError('unavailable', `the disk of server ${server.id} is not in the registry`)
  // What an earlier stay or a broken-off landing left here is older than the disk in the registry.
  await demolish(host, server.id, [])
  const landed = { ...landing(server, move), imageReference: reference }
  await build(host, landed, undo, { adminPassword: null, isSeeded: false, isStarted: move.wasRunning })
  return reference
}

/** Of the files that came ahead, and of those that changed since; of all when what came ahead is gone, or has run here. */
async function buildOfFiles(host: Host, { server, move, undo }: Arrival): Promise<string> {
  const { config, driver } = host
  const file = arrivedFile(config.home, server.id)
  const guest = await driver.inspect(server.id)
  const arrived = guest?.state === 'created' ? await arrivedAt(file) : null
  if (arrived === null) await demolish(host, server.id, [])
  const from = await sourceDisk(host, { server, move })
  await build(host, landing(server, move), undo, {
    adminPassword: null,
    isSeeded: false,
    isStarted: move.wasRunning,
    fill: async () => {
      const to = await driver.disk(server.id)
      if (!to) throw new CloudError('unavailable', 'the storage driver of this host keeps no files apart')
      const progress = new MoveProgress(host, move)
      await step(server.id, 'difference', finishCopy({ from, to, progress }, arrived ?? new Map<string, string>()))
      await progress.end()
    },
  })
  await forgetArrived(config.home, server.id)
  return server.imageReference
}

async function arrive(host: Host, arrival: Arrival): Promise<void> {
  const { config, db } = host
  const { server, move } = arrival
  await new MoveProgress(host, move).enter('switch')
  const imageReference = await (move.transport === 'delta' ? buildOfFiles : buildOfImage)(host, arrival)
  reach(config, 'agent.land.built')
  await db.transaction(async (trx) => {
    await updateServer(trx, server.id, { imageReference })
    const powerState = move.wasRunning ? powerStates.running : powerStates.shutdown
    await finish(trx, server.id, 'resized', 'resize_finish', { powerState, flavor: move.newFlavor })
    await setMove(trx, move.id, { status: 'finished' })
  })
}

/** At the target. */
export async function land(host: Host, payload: JobPayload<'server.land'>): Promise<void> {
  const { db, log, name } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== name || server.taskState !== 'resize_finish') return
  const move = await openMove(db, server.id)
  if (!move) return
  const undo = new Undo()
  try {
    await withEvent(db, payload, { event: 'compute_finish_resize', host: name }, () =>
      arrive(host, { server, move, undo }),
    )
    undo.commit()
    log.info({ serverId: server.id, source: move.sourceHost }, 'guest landed')
  } catch (error) {
    // What came ahead is of use to the next try.
    if (!(error instanceof Superseded) && (await isWorthAnother(host, server.id, error))) throw error
    for (const left of await undo.rollback())
      log.error({ serverId: server.id, left: left.what, err: left.error }, 'not undone')
    await forgetArrived(host.config.home, server.id)
    if (error instanceof Superseded) return
    log.error({ serverId: server.id, err: error }, 'guest did not land')
    await sendHome(host, server, { move, payload, reason: messageOf(error) })
  }
}
