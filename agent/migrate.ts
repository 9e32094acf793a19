/** Cold migration: the source puts the guest's disk into the registry, the target boots it; the source keeps all until that is confirmed. */
import { CloudError, messageOf, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import { powerStates } from '../core/states.ts'
import { Undo } from '../core/undo.ts'
import { withEvent } from '../db/action-events.ts'
import { releaseClaim } from '../db/hosts.ts'
import { handOver, hasLeft, openMove, setMove, type Move } from '../db/moves.ts'
import { abandon, addFault, fail, findServer, finish, updateServer } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { enqueue } from '../jobs/enqueue.ts'
import { build, step } from './create.ts'
import { demolish } from './delete.ts'
import type { Host } from './host.ts'
import { isWorthAnother } from './passing.ts'
import { startGuest } from './power.ts'
import { putDisk } from './save-image.ts'
import { writeSpecFile } from './spec-file.ts'
import { plugAll } from './wire.ts'

/** Off, its disk in the registry, its wires cut: two guests never answer for one address. */
async function depart(host: Host, server: Server, move: Move, payload: JobPayload<'server.migrate'>): Promise<void> {
  const { config, db, driver, wires } = host
  await step(server.id, 'stop', driver.stop(server.id, config.stopGraceSeconds))
  reach(config, 'agent.migrate.stopped')
  const { reference } = await step(
    server.id,
    'disk',
    putDisk(
      host,
      server,
      { name: `servers/${server.id}`, keepsIdentity: true },
      { inTurn: (work) => work(), afterCapture: () => Promise.resolve() },
    ),
  )
  reach(config, 'agent.migrate.pushed')
  for (const { portId } of await vifsOf(db, server.id)) await step(server.id, 'wires', wires.unplug(portId))
  const target = move.targetHost ?? host.name
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'post-migrating', reference })
    await handOver(trx, server.id, { from: 'resize_migrating', to: 'resize_finish', host: target })
    await enqueue(trx, 'server.land', payload, target)
  })
  reach(config, 'agent.migrate.left')
}

/** The server is what it was, on the host that it was on. */
async function stay(host: Host, server: Server, move: Move, error: unknown): Promise<void> {
  const { db, log, name } = host
  if (move.wasRunning)
    await startGuest(host, server.id).catch((left: unknown) =>
      log.error({ serverId: server.id, err: left }, 'not undone'),
    )
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'error' })
    if (move.targetHost !== null) await releaseClaim(trx, server.id, move.targetHost)
    await abandon(trx, server.id, 'resize_migrating', { code: 500, message: messageOf(error), details: '', host: name })
  })
}

/**
 * At the target: the image that the guest was made of is here before the guest stops, so that it is down for no longer than its own
 * changes take. What fails here fails again when the guest lands, and is told there.
 */
export async function expect(host: Host, payload: JobPayload<'server.expect'>): Promise<void> {
  const { config, db, driver, log, name } = host
  const server = await findServer(db, payload.serverId)
  const move = server && (await openMove(db, server.id))
  if (server?.taskState !== 'resize_migrating' || move?.status !== 'migrating' || move.targetHost !== name) return
  try {
    await driver.ensureImage(server.imageReference, AbortSignal.timeout(config.bootTimeoutSeconds * 1000))
  } catch (error) {
    log.warn({ serverId: server.id, reason: messageOf(error) }, 'image of a guest that is to land here was not brought')
  }
  await db.transaction((trx) => enqueue(trx, 'server.migrate', payload, move.sourceHost))
}

/** At the source. A move whose target is not chosen yet goes to the scheduler again. */
export async function migrate(host: Host, payload: JobPayload<'server.migrate'>): Promise<void> {
  const { db, log, name } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== name || server.taskState !== 'resize_migrating') return
  const move = await openMove(db, server.id)
  if (!move) return
  if (move.status === 'pre-migrating') {
    await db.transaction((trx) => enqueue(trx, 'schedule.move', payload))
    return
  }
  try {
    await withEvent(db, payload, { event: 'compute_resize_instance', host: name }, () =>
      depart(host, server, move, payload),
    )
    log.info({ serverId: server.id, target: move.targetHost }, 'guest left')
  } catch (error) {
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, err: error }, 'guest did not leave')
    await stay(host, server, move, error)
  }
}

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

async function arrive(host: Host, server: Server, move: Move, undo: Undo): Promise<void> {
  const { config, db } = host
  const { reference, wasRunning } = move
  if (reference === null) throw new CloudError('unavailable', `the disk of server ${server.id} is not in the registry`)
  // What an earlier stay or a broken-off landing left here is older than the disk in the registry.
  await demolish(host, server.id, [])
  const landed = { ...server, imageReference: reference }
  await build(host, landed, undo, { adminPassword: null, isSeeded: false, isStarted: wasRunning })
  reach(config, 'agent.land.built')
  await db.transaction(async (trx) => {
    await updateServer(trx, server.id, { imageReference: reference })
    const powerState = wasRunning ? powerStates.running : powerStates.shutdown
    await finish(trx, server.id, 'resized', 'resize_finish', { powerState })
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
    await withEvent(db, payload, { event: 'compute_finish_resize', host: name }, () => arrive(host, server, move, undo))
    undo.commit()
    log.info({ serverId: server.id, source: move.sourceHost }, 'guest landed')
  } catch (error) {
    for (const left of await undo.rollback())
      log.error({ serverId: server.id, left: left.what, err: left.error }, 'not undone')
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, err: error }, 'guest did not land')
    await sendHome(host, server, { move, payload, reason: messageOf(error) })
  }
}

/** At the source again, after a revert or a failed landing. */
async function comeHome(host: Host, server: Server, move: Move): Promise<void> {
  const { config, db } = host
  if (move.wasRunning) await startGuest(host, server.id)
  else await plugAll(host, server.id, await vifsOf(db, server.id))
  await db.transaction(async (trx) => {
    const to = move.wasRunning ? 'active' : 'stopped'
    const powerState = move.wasRunning ? powerStates.running : powerStates.shutdown
    if (move.previousReference !== null) await updateServer(trx, server.id, { imageReference: move.previousReference })
    await finish(trx, server.id, to, 'resize_reverting', { powerState })
    await setMove(trx, move.id, { status: move.status === 'reverting' ? 'reverted' : 'error' })
  })
  await writeSpecFile(config.home, server, await vifsOf(db, server.id))
}

/** At the target: the guest goes, and the source has the next word. */
async function goHome(
  host: Host,
  server: Server,
  move: Move,
  payload: JobPayload<'server.revert-resize'>,
): Promise<void> {
  const { db, name } = host
  const vifs = await vifsOf(db, server.id)
  await demolish(
    host,
    server.id,
    vifs.map(({ portId }) => portId),
  )
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'reverting' })
    await handOver(trx, server.id, { from: 'resize_reverting', to: 'resize_reverting', host: move.sourceHost })
    await releaseClaim(trx, server.id, name)
    await enqueue(trx, 'server.revert-resize', payload, move.sourceHost)
  })
}

export async function revertMove(
  host: Host,
  server: Server,
  { move, payload }: { readonly move: Move; readonly payload: JobPayload<'server.revert-resize'> },
): Promise<void> {
  const { db, log, name } = host
  try {
    await withEvent(db, payload, { event: 'compute_revert_resize', host: name }, () =>
      name === move.sourceHost ? comeHome(host, server, move) : goHome(host, server, move, payload),
    )
  } catch (error) {
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, err: error }, 'guest did not go home')
    await db.transaction(async (trx) => {
      await setMove(trx, move.id, { status: 'error' })
      await fail(trx, server.id, { code: 500, message: messageOf(error), details: '', host: name })
    })
  }
}

/** At the target: from now on the server is here for good. */
export async function confirmMove(
  { db }: Host,
  server: Server,
  { move, payload }: { readonly move: Move; readonly payload: JobPayload<'server.confirm-resize'> },
): Promise<void> {
  await db.transaction(async (trx) => {
    const isRunning = server.powerState === powerStates.running
    const powerState = isRunning ? powerStates.running : powerStates.shutdown
    await finish(trx, server.id, isRunning ? 'active' : 'stopped', 'resize_confirming', { powerState })
    await setMove(trx, move.id, { status: 'confirmed' })
    await releaseClaim(trx, server.id, move.sourceHost)
    await enqueue(trx, 'server.leave', payload, move.sourceHost)
  })
}

/** At the source: what is left of a guest whose server went for good, or is deleted, goes. */
export async function leave(host: Host, { serverId }: JobPayload<'server.leave'>): Promise<void> {
  const { db, log, name } = host
  const server = await findServer(db, serverId)
  if (!server || (server.deletedAt === null && !(server.host !== name && (await hasLeft(db, serverId, name))))) return
  const vifs = await vifsOf(db, serverId)
  await demolish(
    host,
    serverId,
    vifs.map(({ portId }) => portId),
  )
  log.info({ serverId }, 'what a moved guest left is gone')
}
