/** Another size for a guest on its own host, while it runs where the kernel can; and back. */
import { messageOf } from '../core/errors.ts'
import { cpuLimitsOf } from '../core/flavor-limits.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server, ServerFlavor } from '../core/server.ts'
import { changes, powerStates, type TaskState } from '../core/states.ts'
import { openMove, type Move } from '../db/moves.ts'
import { endStep, giveUpResize, openResize, type ResizeStatus } from '../db/resize.ts'
import { findServer } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { carryOut } from './change.ts'
import { chooseCpus } from './dedicated-cpus.ts'
import { fitDisk } from './disk-speed.ts'
import { enforce } from './enforce.ts'
import { disksOf } from './guest-spec.ts'
import type { Host } from './host.ts'
import { confirmMove, revertMove } from './moves/decide.ts'
import { startGuest } from './power.ts'
import { writeSpecFile } from './spec-file.ts'

async function setLimits({ config, driver, turns }: Host, serverId: string, flavor: ServerFlavor): Promise<void> {
  const { vcpus, memoryMiB, extraSpecs } = flavor
  const rest = { vcpus, memoryMiB, cpu: cpuLimitsOf(flavor), pidsLimit: config.pidsLimit, disks: disksOf(flavor) }
  const set = (cpuset: string | null): Promise<void> => driver.setLimits(serverId, { ...rest, cpuset })
  if (extraSpecs['hw:cpu_policy'] !== 'dedicated') await set(null)
  else await turns.at('dedicated cpus', async () => set(await chooseCpus(driver, serverId, vcpus)))
}

/** The guest has the limits of this flavor when this returns. It is rebooted only when it uses more memory than it is to have. */
export async function fitGuest(host: Host, serverId: string, flavor: ServerFlavor): Promise<void> {
  const { config, driver, log } = host
  const guest = await driver.inspect(serverId)
  try {
    await setLimits(host, serverId, flavor)
  } catch (error) {
    if (guest?.state !== 'running' || guest.memoryMiB <= flavor.memoryMiB) throw error
    log.info({ serverId, reason: messageOf(error) }, 'guest does not fit into its new memory, and is rebooted')
    await driver.stop(serverId, config.stopGraceSeconds)
    await setLimits(host, serverId, flavor)
    await startGuest(host, serverId)
  }
  await fitDisk(host, serverId, flavor)
}

type ResizeJob = 'server.resize' | 'server.confirm-resize' | 'server.revert-resize'

interface Ending {
  readonly status: ResizeStatus
  readonly flavor: ServerFlavor
}

/** A server that is off when its resize ends is stopped; one that runs is active. */
async function end(host: Host, server: Server, name: ResizeJob, { status, flavor }: Ending): Promise<void> {
  const { config, db } = host
  const { during, to } = changes[name]
  const isOff = server.powerState !== powerStates.running
  const powerState = isOff ? powerStates.shutdown : powerStates.running
  await endStep(db, server, { during, to: isOff && to === 'active' ? 'stopped' : to, powerState, status, flavor })
  await enforce(host)
  await writeSpecFile(config.home, { ...server, flavor }, await vifsOf(db, server.id))
}

/** The open move of a server that is this host's to work on; null when what is open is a resize, or nothing. */
async function movedHere(
  { db, name }: Host,
  serverId: string,
  during: TaskState,
): Promise<{ readonly server: Server; readonly move: Move } | null> {
  const server = await findServer(db, serverId)
  if (server?.host !== name || server.taskState !== during) return null
  const move = await openMove(db, serverId)
  return move && { server, move }
}

/** Fails to what it was: the old limits hold again, the larger place is given back. */
export async function resize(host: Host, payload: JobPayload<'server.resize'>): Promise<void> {
  const grow = async ({ id, flavor }: Server): Promise<void> => {
    try {
      await fitGuest(host, id, (await openResize(host.db, id)).newFlavor)
    } catch (error) {
      await fitGuest(host, id, flavor)
      throw error
    }
  }
  await carryOut(host, 'server.resize', payload, grow, {
    onFailure: 'unchanged',
    takeBack: giveUpResize,
    end: async (server) => {
      const { newFlavor: flavor } = await openResize(host.db, server.id)
      await end(host, server, 'server.resize', { status: 'finished', flavor })
    },
  })
}

export async function confirmResize(host: Host, payload: JobPayload<'server.confirm-resize'>): Promise<void> {
  const moved = await movedHere(host, payload.serverId, 'resize_confirming')
  if (moved) {
    await confirmMove(host, moved.server, { move: moved.move, payload })
    return
  }
  await carryOut(host, 'server.confirm-resize', payload, () => Promise.resolve(), {
    onFailure: 'unchanged',
    end: (server) => end(host, server, 'server.confirm-resize', { status: 'confirmed', flavor: server.flavor }),
  })
}

export async function revertResize(host: Host, payload: JobPayload<'server.revert-resize'>): Promise<void> {
  const moved = await movedHere(host, payload.serverId, 'resize_reverting')
  if (moved) {
    await revertMove(host, moved.server, { move: moved.move, payload })
    return
  }
  const shrink = async ({ id }: Server): Promise<void> => fitGuest(host, id, (await openResize(host.db, id)).oldFlavor)
  await carryOut(host, 'server.revert-resize', payload, shrink, {
    onFailure: 'unchanged',
    end: async (server) => {
      const { oldFlavor: flavor } = await openResize(host.db, server.id)
      await end(host, server, 'server.revert-resize', { status: 'reverted', flavor })
    },
  })
}
