import type { Transaction } from '../db/connect.ts'
import type { JobName, JobPayload } from '../core/jobs.ts'

/** The task identifier under which a job waits: of one host, or of whoever runs it. */
export function taskName(name: JobName, host?: string): string {
  return host === undefined ? name : `${host}/${name}`
}

/**
 * Adds a job in the caller's transaction: it runs when, and only if, that commits. Jobs of one server run one at a time.
 *
 * @param to.host the host whose agent runs it; none = any scheduler
 */
export async function enqueue<N extends JobName>(
  trx: Transaction,
  name: N,
  payload: JobPayload<N>,
  to: { readonly host?: string; readonly queue: string },
): Promise<void> {
  await trx.raw('select graphile_worker.add_job(?, ?::json, queue_name => ?, max_attempts => 25)', [
    taskName(name, to.host),
    JSON.stringify(payload),
    to.queue,
  ])
}

/** The queue of a server: its jobs run in order. */
export function serverQueue(serverId: string): string {
  return `server:${serverId}`
}
