/** Start, stop and reboot of a guest that exists. */
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import { findServer } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { carryOut } from './change.ts'
import { holdDisk } from './disk-speed.ts'
import type { Host } from './host.ts'
import { ensureGateways, plugAll } from './wire.ts'

/** The guest runs, with all of its wires, when this returns. */
export async function startGuest(host: Host, serverId: string): Promise<void> {
  const { config, db, driver, turns } = host
  await ensureGateways(host)
  await plugAll(host, serverId, await vifsOf(db, serverId))
  reach(config, 'agent.power.wires')
  await turns.starting(() => driver.start(serverId))
  const server = await findServer(db, serverId)
  if (server) await holdDisk(host, server)
  reach(config, 'agent.power.started')
}

async function stopGuest({ config, driver }: Host, serverId: string, graceSeconds: number): Promise<void> {
  await driver.stop(serverId, graceSeconds)
  reach(config, 'agent.power.stopped')
}

export async function start(host: Host, payload: JobPayload<'server.start'>): Promise<void> {
  await carryOut(host, 'server.start', payload, ({ id }) => startGuest(host, id))
}

export async function stop(host: Host, payload: JobPayload<'server.stop'>): Promise<void> {
  await carryOut(host, 'server.stop', payload, ({ id }) => stopGuest(host, id, host.config.stopGraceSeconds))
}

/** Soft: init shuts down in its own time. Hard: the plug is pulled. Either way the guest comes up with the same wires. */
export async function reboot(host: Host, payload: JobPayload<'server.reboot'>, how: 'soft' | 'hard'): Promise<void> {
  const name = how === 'soft' ? 'server.reboot' : 'server.reboot-hard'
  await carryOut(host, name, payload, async ({ id }) => {
    await stopGuest(host, id, how === 'soft' ? host.config.stopGraceSeconds : 0)
    await startGuest(host, id)
  })
}
