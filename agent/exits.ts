/** What the end of a guest's PID 1 means: a reboot from inside, a power-off from inside, or a crash. */
import type { Server } from '../core/server.ts'
import { messageOf } from '../core/errors.ts'
import { powerStates } from '../core/states.ts'
import { addFault, findServer, observe } from '../db/servers.ts'
import { exitPoweroff, exitReboot } from '../driver/driver.ts'
import type { Host } from './host.ts'
import { startGuest } from './power.ts'
import { wantedOf } from './wanted.ts'

/**
 * The guest could not be brought up, or went down by itself: the power state and a fault say so. A rescued server stays one, so that
 * its own disk can be put back.
 */
export async function reportCrash({ db, name, log }: Host, server: Server, message: string): Promise<void> {
  const vmState = server.vmState === 'rescued' ? 'rescued' : 'error'
  if (!(await observe(db, server.id, { vmState, powerState: powerStates.crashed }))) return
  await addFault(db, server.id, { code: 500, message, details: '', host: name })
  log.warn({ serverId: server.id, message }, 'guest crashed')
}

/** Starts the guest of a server that should run again, with the same wires. */
export async function startAgain(host: Host, server: Server, why: string): Promise<void> {
  try {
    await startGuest(host, server.id)
    await observe(host.db, server.id, { vmState: server.vmState, powerState: powerStates.running })
    host.log.info({ serverId: server.id, why }, 'guest started again')
  } catch (error) {
    await reportCrash(host, server, `The guest could not be started again (${why}): ${messageOf(error)}`)
  }
}

/** The guest is off, by itself: a resized or rescued server stays so, any other is now stopped. */
async function settleOff({ db, log }: Host, { id, vmState }: Server, why: string): Promise<void> {
  const stays = vmState === 'resized' || vmState === 'rescued'
  await observe(db, id, { vmState: stays ? vmState : 'stopped', powerState: powerStates.shutdown })
  log.info({ serverId: id, why }, 'guest is off')
}

/** Must be called in the server's turn. Does nothing while a change is running: that change knows what it does. */
export async function settleExit(host: Host, serverId: string): Promise<void> {
  const { db, driver, name } = host
  const server = await findServer(db, serverId)
  if (server?.host !== name || server.deletedAt !== null || server.taskState !== null) return
  const wanted = wantedOf(server)
  if (wanted !== 'running' && wanted !== 'paused') return
  const guest = await driver.inspect(serverId)
  if (guest?.state !== 'stopped') return
  if (wanted === 'paused') await settleOff(host, server, `it ended while it was ${server.vmState}`)
  else if (guest.exitCode === exitReboot) await startAgain(host, server, 'rebooted from inside')
  else if (guest.exitCode === exitPoweroff) await settleOff(host, server, 'it powered itself off')
  else await reportCrash(host, server, `The guest's init ended with exit code ${String(guest.exitCode)}.`)
}
