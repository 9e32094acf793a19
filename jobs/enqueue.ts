import type { Transaction } from '../db/connect.ts'
import type { JobName, JobPayload } from '../core/jobs.ts'

/** The task identifier under which a job waits: of one host, or of whoever runs it. */
export function taskName(name: JobName, host?: string): string {
  return host === undefined ? name : `${host}/${name}`
}

/**
 * Adds a job in the caller's transaction: it runs when, and only if, that commits. No queue of the library's orders the jobs of a
 * server: its lock on a queue makes a neighbour that looks at the same moment pass by a job, which then waits for the next poll.
 * The agent lets jobs take turns at their server, and each acts only while the row waits for it.
 *
 * @param host the host whose agent runs it; none = any scheduler
 */
export async function enqueue<N extends JobName>(
  trx: Transaction,
  name: N,
  payload: JobPayload<N>,
  host?: string,
): Promise<void> {
  await trx
    .raw('select graphile_worker.add_job(?, ?::json, max_attempts => 25)', [
      taskName(name, host),
      JSON.stringify(payload),
    ])
    .options({ name: 'a new job' })
}
