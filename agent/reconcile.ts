/** Rows against what is on the host: at start, when the engine's events were lost, and on a timer. */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { hasCode, messageOf } from '../core/errors.ts'
import type { Server } from '../core/server.ts'
import { powerStates } from '../core/states.ts'
import { hasLeft, openMove } from '../db/moves.ts'
import { findServer, observe, serversOnHost } from '../db/servers.ts'
import { portIdsOnHost, vifsOf } from '../db/vifs.ts'
import { exitPoweroff, type Guest } from '../driver/driver.ts'
import { recover } from '../jobs/lost.ts'
import { demolish } from './delete.ts'
import { reportCrash, settleExit, startAgain } from './exits.ts'
import { enforce } from './enforce.ts'
import type { Host } from './host.ts'
import { leave } from './moves/decide.ts'
import { fitGuest } from './resize.ts'
import { inOrder } from './turns.ts'
import { wantedOf } from './wanted.ts'
import { offloadInTime } from './shelve.ts'
import { ensureGateways, plugAll, sweepGateways, ensureTunnels, ensureUplink } from './wire.ts'

/** Who was running when the launcher took the machine down: they are to run again, whatever their exit code says. */
async function heldGuests(home: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(z.array(z.string()).parse(JSON.parse(await readFile(heldPath(home), 'utf8'))))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return new Set()
    throw error
  }
}

function heldPath(home: string): string {
  return join(home, 'run', 'held-guests.json')
}

async function checkWires(host: Host, server: Server): Promise<void> {
  const { db, wires, log } = host
  const vifs = await vifsOf(db, server.id)
  const namespace = await wires.ensureNamespace(server.id)
  const plugged = await Promise.all(vifs.map((vif) => wires.isPlugged(vif, namespace)))
  const missing = vifs.filter((_vif, index) => !plugged[index])
  if (missing.length === 0) return
  await plugAll(host, server.id, missing)
  log.warn({ serverId: server.id }, 'wires of a guest mended')
}

/** Nobody watched when this guest ended: after a fall of the machine it runs again, after its own power-off it stays off. */
async function settleMissedExit(
  host: Host,
  server: Server,
  { guest, isHeld }: { guest: Guest; isHeld: boolean },
): Promise<void> {
  if (isHeld) await startAgain(host, server, 'it ran when the host was taken down')
  else if (guest.exitCode === exitPoweroff) await settleExit(host, server.id)
  else await startAgain(host, server, `it was found stopped, exit code ${String(guest.exitCode)}`)
}

/** A guest that should stand still does. */
async function freezeAgain({ driver, log }: Host, { id, vmState }: Server): Promise<void> {
  if (vmState === 'suspended') await driver.suspend(id)
  else await driver.pause(id)
  log.warn({ serverId: id, vmState }, 'a server was found running, and frozen again')
}

interface Situation {
  readonly guest: Guest
  readonly isStart: boolean
  readonly isHeld: boolean
}

/** Brings a guest that is there to what its row says. */
async function converge(host: Host, server: Server, { guest, isStart, isHeld }: Situation): Promise<void> {
  const { db, driver, config, log } = host
  const wanted = wantedOf(server)
  const { id } = server
  const isOff = guest.state === 'stopped' || guest.state === 'created'
  if (guest.memoryMiB !== server.flavor.memoryMiB && guest.state !== 'paused') {
    await fitGuest(host, id, server.flavor)
    log.warn({ serverId: id }, 'limits of a guest set to those of its flavor')
  }
  if (wanted === 'running' && guest.state === 'running') await checkWires(host, server)
  // Its address stays its own while it is off: the port stands, as after a power-off that was seen.
  else if (wanted === 'stopped' && isOff) await checkWires(host, server)
  else if (wanted === 'running' && guest.state === 'paused') await startAgain(host, server, 'it was found paused')
  else if (wanted === 'running' && isStart) await settleMissedExit(host, server, { guest, isHeld })
  else if (isOff && wanted !== 'stopped') await settleExit(host, id)
  else if (wanted === 'paused' && guest.state === 'running') await freezeAgain(host, server)
  else if (wanted === 'stopped' && !isOff) {
    await driver.stop(id, config.stopGraceSeconds)
    await observe(db, id, { vmState: server.vmState, powerState: powerStates.shutdown })
    log.warn({ serverId: id }, 'a stopped server was found running, and stopped')
  }
}

/** Must be called in the server's turn; the row is read afresh, since a job may have changed it. */
async function reconcileServer(
  host: Host,
  serverId: string,
  { isStart, isHeld }: { isStart: boolean; isHeld: boolean },
): Promise<void> {
  const { db, driver, name } = host
  const server = await findServer(db, serverId)
  if (server?.host !== name || server.deletedAt !== null || server.taskState !== null) return
  await offloadInTime(host, server)
  const wanted = wantedOf(server)
  if (wanted === null) return
  const guest = await driver.inspect(serverId)
  if (guest) await converge(host, server, { guest, isStart, isHeld })
  else if (wanted !== 'stopped') await reportCrash(host, server, 'The guest is gone from its host.')
}

/** Guests of ours whose server is deleted go. Guests that no row knows, and containers of others, are reported and left. */
async function sweepGuests(host: Host, guests: readonly Guest[]): Promise<void> {
  const { db, log, name } = host
  for (const { serverId, guestId, name: containerName } of guests) {
    if (serverId === null) continue
    const server = await findServer(db, serverId)
    if (!server)
      log.warn({ guestId, containerName, serverId }, 'unknown guest: no row of this database knows it; left alone')
    else if (server.deletedAt !== null) {
      await host.turns.at(serverId, () => demolish(host, serverId, []))
      log.warn({ guestId, serverId }, 'guest of a deleted server removed')
    } else if (server.host !== name && (await hasLeft(db, serverId, name))) {
      await host.turns.at(serverId, () => leave(host, { serverId, requestId: '' }))
    } else if (server.host !== name && !(await openMove(db, serverId)))
      log.warn({ guestId, serverId, belongsTo: server.host }, 'guest of a server on another host; left alone')
  }
}

/** Ports and namespaces without a row go: they carry our mark, and no guest can use them. */
async function sweepWires({ db, wires, name, log, driver }: Host): Promise<void> {
  const wanted = new Set(await portIdsOnHost(db, name))
  for (const port of await wires.list()) {
    if (wanted.has(port.portId)) continue
    if ((await portIdsOnHost(db, name)).includes(port.portId)) continue
    await wires.unplug(port.portId)
    log.warn({ portId: port.portId, device: port.device }, 'port without a row unplugged')
  }
  for (const serverId of wires.listNamespaces()) {
    const server = await findServer(db, serverId)
    if (server?.deletedAt === null && server.host === name) continue
    if ((await driver.inspect(serverId)) || (await openMove(db, serverId))?.targetHost === name) continue
    await wires.removeNamespace(serverId)
    log.warn({ serverId }, 'namespace without a server removed')
  }
}

/**
 * Makes the host what the rows say. One server's trouble does not keep the others from being looked at.
 *
 * @param isStart whether the agent was away: guests that ended meanwhile are then brought back as after a power cut
 */
export async function reconcile(host: Host, { isStart }: { readonly isStart: boolean }): Promise<void> {
  const { db, config, driver, log, name, turns } = host
  const held = isStart ? await heldGuests(config.home) : new Set<string>()
  await ensureUplink(host)
  await ensureTunnels(host)
  await host.wires.openTrunks(config.gateways === 'none')
  await ensureGateways(host)
  await enforce(host)
  const servers = await serversOnHost(db, name)
  const look = async ({ id }: Server): Promise<void> => {
    try {
      await turns.at(id, () => reconcileServer(host, id, { isStart, isHeld: held.has(id) }))
    } catch (error) {
      log.error({ serverId: id, reason: messageOf(error) }, 'server not reconciled')
    }
  }
  // After a fall of the machine the oldest start first.
  await inOrder(servers, isStart ? config.startConcurrency : servers.length, look)
  await sweepGuests(host, await driver.list())
  for (const guestId of await driver.sweep()) log.warn({ guestId }, 'what was left of a removed guest is gone')
  await sweepWires(host)
  await sweepGateways(host)
  for (const text of await recover(db, name)) log.warn({ text }, 'job or task taken up')
  await host.wires.settle()
  if (isStart) await rm(heldPath(config.home), { force: true })
}
