/** The frame of every change that this host carries out: guarded, recorded as an event, ended by one guarded UPDATE. */
import { GuestFailed, messageOf, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { HostJob, JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import { changes, powerStates, type Change, type ChangeName, type PowerState, type VmState } from '../core/states.ts'
import { withEvent } from '../db/action-events.ts'
import type { Transaction } from '../db/connect.ts'
import { abandon, fail, findServer, finish, type Outcome } from '../db/servers.ts'
import type { Host } from './host.ts'
import { isWorthAnother } from './passing.ts'

interface Options {
  /**
   * What a failure means. 'error': nobody knows what the guest is now, so the server is in error. 'unchanged': the server is what
   * it was, and a fault says what was tried.
   */
  readonly onFailure?: 'error' | 'unchanged'
  /** ends the change otherwise than by the table of changes; throws Superseded as `finish` does */
  readonly end?: (server: Server) => Promise<void>
  /** written with the end that the table of changes says */
  readonly outcome?: Partial<Outcome>
  /** takes back, in the transaction that records the failure, what the change had reserved */
  readonly takeBack?: ((trx: Transaction, server: Server) => Promise<void>) | undefined
}

const powerOf: Readonly<Partial<Record<VmState, PowerState>>> = {
  active: powerStates.running,
  paused: powerStates.paused,
  suspended: powerStates.suspended,
}

async function settle(
  { db, name: host }: Host,
  server: Server,
  { change, message, onFailure, takeBack }: Options & { readonly change: Change; readonly message: string },
): Promise<void> {
  const fault = { code: 500, message, details: '', host }
  await db.transaction(async (trx) => {
    await takeBack?.(trx, server)
    if (onFailure === 'error') await fail(trx, server.id, fault)
    else await abandon(trx, server.id, change.during, fault)
  })
}

/** Carries a change out. A job that comes twice or late finds another task on the row, and does nothing. */
export async function carryOut<N extends ChangeName & HostJob>(
  host: Host,
  name: N,
  payload: JobPayload<N>,
  work: (server: Server) => Promise<void>,
  { onFailure = 'error', end, takeBack, outcome }: Options = {},
): Promise<void> {
  const { config, db, log } = host
  const change: Change = changes[name]
  const { during, to, verb } = change
  const { serverId, requestId } = payload
  const server = await findServer(db, serverId)
  if (server?.host !== host.name || server.taskState !== during) return
  reach(config, 'agent.change.begun')
  try {
    await withEvent(db, payload, { event: `compute_${verb}_instance`, host: host.name }, async () => {
      await work(server)
      if (end) await end(server)
      else await finish(db, server.id, to, during, { powerState: powerOf[to] ?? powerStates.shutdown, ...outcome })
      reach(config, 'agent.change.finished')
    })
    log.info({ serverId, requestId, change: name }, 'server changed')
  } catch (error) {
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    const failed = new GuestFailed(serverId, verb, messageOf(error), { cause: error })
    log.error({ serverId, requestId, err: failed }, 'server not changed')
    await settle(host, server, { change, message: failed.message, onFailure, takeBack })
  }
}
