/** At the source: the guest goes off, and its server becomes the target's; the source keeps all until the move is confirmed. */
import { messageOf, Superseded } from '../../core/errors.ts'
import { reach } from '../../core/failpoints.ts'
import type { JobPayload } from '../../core/jobs.ts'
import type { Server } from '../../core/server.ts'
import { withEvent } from '../../db/action-events.ts'
import { releaseClaim } from '../../db/hosts.ts'
import { handOver, openMove, setMove, type Move } from '../../db/moves.ts'
import { abandon, findServer } from '../../db/servers.ts'
import { vifsOf } from '../../db/vifs.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { step } from '../create.ts'
import type { Host } from '../host.ts'
import { isWorthAnother } from '../passing.ts'
import { startGuest } from '../power.ts'
import { push } from './push.ts'

/** Two guests never answer for one address. */
async function cutWires({ db, wires }: Host, { id }: Server): Promise<void> {
  for (const { portId } of await vifsOf(db, id)) await step(id, 'wires', wires.unplug(portId))
}

async function shutDown({ config, driver }: Host, { id }: Server): Promise<void> {
  await step(id, 'stop', driver.stop(id, config.stopGraceSeconds))
  reach(config, 'agent.migrate.stopped')
}

/** As long as nothing was handed over: whoever waits for a part that is silent does not keep the guest off meanwhile. */
async function runOn(host: Host, { id }: Server, { wasRunning }: Move): Promise<void> {
  if (!wasRunning) return
  await startGuest(host, id).catch((left: unknown) => host.log.error({ serverId: id, err: left }, 'not undone'))
}

/** Off, its disk where the target finds it, its wires cut. @returns the image of its disk; null = the target reads it file by file */
async function leaveDisk(host: Host, server: Server, move: Move): Promise<string | null> {
  const [stop, beside] = [() => shutDown(host, server), () => cutWires(host, server)]
  if (move.transport !== 'delta')
    try {
      return await push(host, server, move, { stop, beside })
    } catch (error) {
      await runOn(host, server, move)
      throw error
    }
  await stop()
  await beside()
  return null
}

async function depart(host: Host, server: Server, move: Move, payload: JobPayload<'server.migrate'>): Promise<void> {
  const { config, db } = host
  const reference = await leaveDisk(host, server, move)
  const carried = reference === null ? {} : { reference }
  const target = move.targetHost ?? host.name
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'post-migrating', ...carried })
    await handOver(trx, server.id, { from: 'resize_migrating', to: 'resize_finish', host: target })
    await enqueue(trx, 'server.land', payload, target)
  })
  reach(config, 'agent.migrate.left')
}

/** The server is what it was, on the host that it was on. */
async function stay(host: Host, server: Server, move: Move, error: unknown): Promise<void> {
  const { db, name } = host
  await runOn(host, server, move)
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'error' })
    if (move.targetHost !== null) await releaseClaim(trx, server.id, move.targetHost)
    await abandon(trx, server.id, 'resize_migrating', { code: 500, message: messageOf(error), details: '', host: name })
  })
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
