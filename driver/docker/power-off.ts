/** How a guest ends of its own: it is asked until it has heard. */
import { setTimeout as sleep } from 'node:timers/promises'
import { inspectContainer, type Engine } from './engine.ts'
import { execIn } from './exec.ts'
import type { Inspected } from './guest.ts'

const powerOffSignal = 'SIGRTMIN+4'
const pollMs = 50
/** An init that has just begun does not hear a signal yet: it is asked again. */
const askAgainMs = 1000

/** systemd has a signal for it; another init is told by the command that an administrator would use. */
async function ask({ docker }: Engine, { Id }: Inspected, isSystemd: boolean): Promise<void> {
  const container = docker.getContainer(Id)
  try {
    if (isSystemd) await container.kill({ signal: powerOffSignal })
    else await execIn(container, ['/sbin/poweroff'], 5000)
  } catch {
    // The guest may end, or have no such command, while this runs: what counts is whether it ends in time.
  }
}

export async function hasEnded(engine: Engine, guestId: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const found = await inspectContainer(engine, guestId)
    if (found?.State.Running !== true) return true
    if (performance.now() > deadline) return false
    await sleep(pollMs)
  }
}

/** @returns false when it still runs after `graceSeconds` */
export async function hasPoweredOff(
  engine: Engine,
  found: Inspected,
  { graceSeconds, isSystemd }: { readonly graceSeconds: number; readonly isSystemd: boolean },
): Promise<boolean> {
  const deadline = performance.now() + graceSeconds * 1000
  for (let left = graceSeconds * 1000; left > 0; left = deadline - performance.now()) {
    await ask(engine, found, isSystemd)
    if (await hasEnded(engine, found.Id, Math.min(left, askAgainMs))) return true
  }
  return false
}
