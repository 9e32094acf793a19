/** Start, stop and reboot of a guest that exists. */
import { GuestFailed, messageOf, Superseded } from '../core/errors.ts'
import type { JobPayload } from '../core/jobs.ts'
import { changes, powerStates, type ChangeName } from '../core/states.ts'
import { withEvent } from '../db/action-events.ts'
import { fail, findServer, finish } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import type { Host } from './host.ts'
import { ensureGateways, plugAll } from './wire.ts'

/** The guest runs, with all of its wires, when this returns. */
export async function startGuest(host: Host, serverId: string): Promise<void> {
  const { db, driver, turns } = host
  await ensureGateways(host)
  await plugAll(host, serverId, await vifsOf(db, serverId))
  await turns.starting(() => driver.start(serverId))
}

type PowerChange = Extract<ChangeName, 'server.start' | 'server.stop' | 'server.reboot' | 'server.reboot-hard'>

/** Runs a power change between its guards; a failure leaves the server in error with a fault that names the change. */
async function change(
  host: Host,
  name: PowerChange,
  payload: JobPayload<PowerChange>,
  work: (serverId: string) => Promise<void>,
): Promise<void> {
  const { db, log } = host
  const { during, to, verb } = changes[name]
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name || server.taskState !== during) return
  const powerState = to === 'active' ? powerStates.running : powerStates.shutdown
  try {
    await withEvent(db, payload, { event: `compute_${verb}_instance`, host: host.name }, async () => {
      await work(server.id)
      await finish(db, server.id, to, during, { powerState })
    })
    log.info({ serverId: server.id, requestId: payload.requestId, change: name }, 'server changed')
  } catch (error) {
    if (error instanceof Superseded) return
    const failed = new GuestFailed(server.id, verb, messageOf(error), { cause: error })
    log.error({ serverId: server.id, requestId: payload.requestId, err: failed }, 'server not changed')
    await db.transaction((trx) =>
      fail(trx, server.id, { code: 500, message: failed.message, details: '', host: host.name }),
    )
  }
}

export async function start(host: Host, payload: JobPayload<'server.start'>): Promise<void> {
  await change(host, 'server.start', payload, (serverId) => startGuest(host, serverId))
}

export async function stop(host: Host, payload: JobPayload<'server.stop'>): Promise<void> {
  await change(host, 'server.stop', payload, (serverId) => host.driver.stop(serverId, host.config.stopGraceSeconds))
}

/** Soft: init shuts down in its own time. Hard: the plug is pulled. Either way the guest comes up with the same wires. */
export async function reboot(host: Host, payload: JobPayload<'server.reboot'>, how: 'soft' | 'hard'): Promise<void> {
  const name = how === 'soft' ? 'server.reboot' : 'server.reboot-hard'
  await change(host, name, payload, async (serverId) => {
    await host.driver.stop(serverId, how === 'soft' ? host.config.stopGraceSeconds : 0)
    await startGuest(host, serverId)
  })
}
