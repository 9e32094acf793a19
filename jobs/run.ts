import { Logger, run, type Task } from 'graphile-worker'
import pg from 'pg'
import { isJobName, jobs, type Handlers, type JobName, type JobPayload } from '../core/jobs.ts'
import { messageOf } from '../core/errors.ts'
import type { Lock } from '../db/locks.ts'
import { taskName } from './enqueue.ts'

/** Where the queue tells what it does. */
export interface JobLog {
  debug(fields: object, event: string): void
  info(fields: object, event: string): void
  warn(fields: object, event: string): void
  error(fields: object, event: string): void
}

/** A worker that takes jobs. */
export interface Running {
  /** Lets running jobs end, takes no new ones. */
  stop(): Promise<void>
  /** Settles when the runner has ended, rejects when it broke. */
  readonly ended: Promise<void>
}

interface RunOptions {
  readonly databaseUrl: string
  /** jobs of this host, of which the caller is the only runner; none = jobs that any scheduler may run */
  readonly host?: string
  /** the session by whose end others learn that this process is gone */
  readonly lock: Pick<Lock, 'markAlive'>
  readonly concurrency: number
  /** how many jobs are taken with one statement, to wait here for their turn; none = one by one */
  readonly batch?: number
  readonly log: JobLog
  /** after each job that ended well: what it left open is closed */
  readonly onDone?: (payload: JobPayload<JobName>) => Promise<void>
}

function toTask(name: JobName, handle: (payload: unknown, signal: AbortSignal) => Promise<void>, log: JobLog): Task {
  return async (payload, helpers) => {
    const started = performance.now()
    const attempt = helpers.job.attempts
    try {
      await handle(payload, helpers.abortSignal)
      log.info({ job: name, jobId: helpers.job.id, ms: Math.round(performance.now() - started) }, 'job done')
    } catch (error) {
      log.error({ job: name, jobId: helpers.job.id, attempt, err: error }, 'job failed, to be tried again')
      throw error
    }
  }
}

/** Frees the jobs that a dead predecessor still holds. The caller knows, by its advisory lock, that it is the only one alive. */
async function unlockLeftovers(pool: pg.Pool, names: readonly string[]): Promise<number> {
  const { rowCount } = await pool.query(
    `select graphile_worker.force_unlock_workers(array_agg(distinct locked_by)) from graphile_worker.jobs
     where locked_by is not null and task_identifier = any($1) having count(*) > 0`,
    [names],
  )
  return rowCount ?? 0
}

function quietLogger(log: JobLog): Logger {
  return new Logger(() => (level, message) => {
    if (level === 'error') log.error({ from: 'graphile-worker' }, message)
    // It would have a connection for each job: jobs here take connections of their own.
    else if (level === 'warning' && !message.includes('maxPoolSize')) log.warn({ from: 'graphile-worker' }, message)
    else log.debug({ from: 'graphile-worker' }, message)
  })
}

/** Ends of jobs that come within so many milliseconds are written together. Whoever dies in between has them done twice, as always. */
const endsTogetherMs = 5

function batches(size: number): NonNullable<GraphileConfig.Preset['worker']> {
  return { localQueue: { size }, completeJobBatchDelay: endsTogetherMs }
}

/** No job is begun before the pool has marked itself alive: others would take it for one of the dead. */
function aliveFirst(lock: Pick<Lock, 'markAlive'>): GraphileConfig.Plugin {
  let marked: Promise<void> | null = null
  return {
    name: 'alive-first',
    version: '1.0.0',
    worker: {
      hooks: {
        startWorker: (_context, { worker }) => (marked ??= lock.markAlive(worker.workerPool.id)),
      },
    },
  }
}

/**
 * Runs jobs until stopped. Of a host's jobs this must be the only runner: what a dead one left locked is taken over at once. What a dead
 * scheduler left is found by the others (`freeFromTheDead`).
 *
 * @param handlers one per job name that this process runs
 */
export async function runJobs<N extends JobName>(
  handlers: Handlers<N>,
  { databaseUrl, host, lock, concurrency, batch, log, onDone }: RunOptions,
): Promise<Running> {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    // Workers use a connection only to take a job and to end it; one more listens.
    max: 5,
    // Longer than a database stands still that comes back: what is under way ends well then.
    connectionTimeoutMillis: 90_000,
    application_name: `jobs ${host ?? 'any'}`,
  })
  const lost = (error: Error): void => log.warn({ err: error }, 'queue connection lost')
  // At rest, and at work.
  pool.on('error', lost).on('connect', (client) => client.on('error', lost))
  const taskList: Record<string, Task> = {}
  for (const name of Object.keys(handlers)) {
    if (!isJobName(name)) continue
    taskList[taskName(name, host)] = toTask(name, dispatch(handlers, name, onDone), log)
  }
  const freed = host === undefined ? 0 : await unlockLeftovers(pool, Object.keys(taskList))
  if (freed > 0) log.warn({ host }, 'jobs of a dead predecessor freed')
  const runner = await run({
    pgPool: pool,
    taskList,
    concurrency,
    noHandleSignals: true,
    // Only for jobs put off after a failure: new ones are told by a notification.
    pollInterval: 2000,
    logger: quietLogger(log),
    preset: { plugins: [aliveFirst(lock)], ...(batch === undefined ? {} : { worker: batches(batch) }) },
  })
  return {
    stop: async () => {
      await runner.stop().catch((error: unknown) => log.warn({ err: messageOf(error) }, 'queue did not stop cleanly'))
      await pool.end()
    },
    ended: runner.promise,
  }
}

function dispatch<N extends JobName>(
  handlers: Handlers<N>,
  name: JobName,
  onDone: RunOptions['onDone'],
): (payload: unknown, signal: AbortSignal) => Promise<void> {
  const handler: unknown = Reflect.get(handlers, name)
  if (typeof handler !== 'function') throw new TypeError(`no handler for ${name}`)
  return async (payload, signal) => {
    const parsed = jobs[name].parse(payload)
    await Reflect.apply(handler, handlers, [parsed, signal])
    await onDone?.(parsed)
  }
}
