/** Guests that start, stand still and end. */
import { NotFound, Unavailable } from '../../core/errors.ts'
import { exitPoweroff, exitReboot, type Guest } from '../driver.ts'
import { asideLabel, mountAside } from './aside.ts'
import { bornOf } from './born.ts'
import { disksLabel, mountDisks, showDisks } from './disks.ts'
import { callGuest, findGuest, startContainer, type Engine } from './engine.ts'
import { untilFrozen } from './freeze.ts'
import { alreadyThus, toGuest, type Inspected } from './guest.ts'
import { writeOciSpec } from './oci-spec.ts'
import { hasEnded, hasPoweredOff } from './power-off.ts'

export async function pauseGuest(engine: Engine, serverId: string): Promise<void> {
  await untilFrozen(() => callGuest(engine, serverId, (container) => container.pause(), alreadyThus.pause))
}

export async function unpauseGuest(engine: Engine, serverId: string): Promise<void> {
  await callGuest(engine, serverId, (container) => container.unpause(), alreadyThus.unpause)
}

/** A guest that stands still already stays so. */
export async function whileFrozen(
  engine: Engine,
  { serverId, found: { State } }: { readonly serverId: string; readonly found: Inspected },
  work: () => Promise<void>,
): Promise<void> {
  const isRunning = State.Running && !State.Paused
  if (isRunning) await pauseGuest(engine, serverId)
  try {
    await work()
  } finally {
    if (isRunning) await unpauseGuest(engine, serverId)
  }
}

/** Who hears what a guest writes to its console. */
interface Console {
  /** awaited before the container starts */
  readonly beforeStart: (containerId: string) => Promise<void>
  /** what it wrote last */
  readonly lastWords: () => Promise<string>
}

/** @throws NotFound; Unavailable when its init ended at once */
export async function startGuest(engine: Engine, serverId: string, console: Console): Promise<Guest> {
  const found = await findGuest(engine, serverId)
  if (!found) throw new NotFound('Guest', serverId)
  const disks = found.Config.Labels[disksLabel]
  if (found.State.Paused) await unpauseGuest(engine, serverId)
  else if (!found.State.Running) {
    if (found.Config.Labels[asideLabel] !== undefined) await mountAside(engine, serverId)
    if (disks !== undefined) await mountDisks(disks)
    await writeOciSpec(engine.ociDirectory, found.Id, bornOf(found))
    await console.beforeStart(found.Id)
    await startContainer(engine, serverId, found)
  }
  const begun = await findGuest(engine, serverId)
  if (!begun) throw new NotFound('Guest', serverId)
  const guest = toGuest(begun)
  if (disks !== undefined && guest.pid !== null) await showDisks(disks, guest.pid)
  if (guest.state === 'stopped' && guest.exitCode !== exitReboot && guest.exitCode !== exitPoweroff)
    throw new Unavailable(
      `The init of server ${serverId} ended as soon as it began, with exit code ${String(guest.exitCode)}: ${(await console.lastWords()).trim()}`,
    )
  return guest
}

/** It is asked to power itself off, and killed when it has not after `graceSeconds`. @throws Unavailable when it outlives that too */
export async function stopGuest(
  engine: Engine,
  serverId: string,
  { graceSeconds, killedMs }: { readonly graceSeconds: number; readonly killedMs: number },
): Promise<void> {
  const found = await findGuest(engine, serverId)
  if (found?.State.Running !== true) return
  if (found.State.Paused) await unpauseGuest(engine, serverId)
  if (await hasPoweredOff(engine, found, { graceSeconds, isSystemd: bornOf(found).systemdCgroup })) return
  await callGuest(engine, serverId, (container) => container.kill({ signal: 'SIGKILL' }), alreadyThus.kill)
  if (!(await hasEnded(engine, found.Id, killedMs)))
    throw new Unavailable(`Guest of server ${serverId} was killed and did not end.`)
}
