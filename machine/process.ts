/** Processes that are provably ours: a pid alone may have been given to another since. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that no other can be taken for. */
export interface ProcessId {
  readonly pid: number
  /** clock ticks since boot; source: proc_pid_stat(5), field 22 */
  readonly startTime: string
}

/** The living process of that pid, or null; a zombie is not alive. */
export function identify(pid: number): ProcessId | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : { pid, startTime: fields[19] ?? '' }
  } catch {
    // The process ended, before or while its entry was read.
    return null
  }
}

export function isAlive({ pid, startTime }: ProcessId): boolean {
  return identify(pid)?.startTime === startTime
}

/** Sends a signal to that very process. @returns false when it is gone */
export function signal(id: ProcessId, name: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false
  try {
    process.kill(id.pid, name)
    return true
  } catch {
    // It ended between the look and the signal.
    return false
  }
}

/** Asks it to end, and makes it when it does not in time. */
export async function end(
  id: ProcessId,
  { with: name, timeoutMs }: { readonly with: NodeJS.Signals; readonly timeoutMs: number },
): Promise<void> {
  if (!signal(id, name)) return
  const deadline = performance.now() + timeoutMs
  while (isAlive(id)) {
    if (performance.now() > deadline) signal(id, 'SIGKILL')
    await sleep(25)
  }
}

/** The pid that a pid file names, if a living process has it. */
export function fromPidFile(path: string): ProcessId | null {
  try {
    return identify(Number.parseInt(readFileSync(path, 'utf8'), 10))
  } catch {
    return null
  }
}

export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}
