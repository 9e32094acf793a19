/** How long a task of a server may last: what takes longer is told by the audit. */
import type { TaskState } from './states.ts'

/** Those that move a disk or an image are allowed more. */
const usualSeconds = 300

/** Waiting for a host to come back is part of a delete. */
const special: Readonly<Partial<Record<TaskState, number>>> = { scheduling: 120, spawning: 600, deleting: 600 }

/** @returns seconds */
export function taskSeconds(task: TaskState): number {
  return special[task] ?? usualSeconds
}
