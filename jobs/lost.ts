/** Jobs that nobody will run, and tasks that wait for a job which is not there. */
import { changes, type TaskState, type VmState } from '../core/states.ts'
import { isJobName, jobs, type JobName } from '../core/jobs.ts'
import { dropUnfinishedImages } from '../db/new-images.ts'
import { abandon, fail } from '../db/servers.ts'
import { deadAmong } from '../db/locks.ts'
import type { Db, Transaction } from '../db/connect.ts'
import { enqueue } from './enqueue.ts'

/** Handing a task over from job to job takes far less. */
const lostAfterSeconds = 60

/** A server whose task no job will end. */
export interface LostTask {
  readonly serverId: string
  readonly host: string | null
  readonly vmState: VmState
  readonly taskState: TaskState
  /** of the user's last request, to which the task belongs */
  readonly requestId: string | null
  readonly seconds: number
}

/**
 * Tasks older than `graceSeconds` of servers that no job in the queue is for. A job that has used up its attempts counts as none.
 *
 * @param host none = any; null = servers that have no host
 */
export async function lostTasks(
  db: Db,
  { host, graceSeconds }: { readonly host?: string | null; readonly graceSeconds: number },
): Promise<readonly LostTask[]> {
  const { rows } = await db.raw<{ rows: LostTask[] }>(
    `select s.id as server_id, s.host, s.vm_state, s.task_state, extract(epoch from now() - s.updated_at)::int as seconds,
            (select request_id from server_actions a where a.server_id = s.id order by a.id desc limit 1) as request_id
     from servers s
     where s.deleted_at is null and s.task_state is not null
       -- What was written after now was written before the clock went back.
       and abs(extract(epoch from now() - s.updated_at)) > :graceSeconds
       and (:isAny or s.host is not distinct from :host)
       and not exists (select from graphile_worker._private_jobs j
                       where j.payload->>'serverId' = s.id::text and j.attempts < j.max_attempts)
       and not exists (select from graphile_worker._private_jobs j
                       where j.payload->>'serverId' = s.id::text and j.locked_at is not null)`,
    { graceSeconds, isAny: host === undefined, host: host ?? null },
  )
  return rows
}

/** They leave the server as it is: it is none the worse without the image. */
const imageTasks: readonly TaskState[] = ['image_snapshot', 'image_backup', 'image_pending_upload', 'image_uploading']

/** The job that ends a task. */
function jobFor({ vmState, taskState, host }: LostTask): JobName | null {
  if (taskState === 'scheduling') return 'schedule'
  if (vmState === 'shelved_offloaded' && (taskState === 'unshelving' || taskState === 'spawning'))
    return host === null ? 'schedule' : 'server.unshelve'
  if (taskState === 'spawning') return 'server.create'
  for (const [name, change] of Object.entries(changes)) if (change.during === taskState && isJobName(name)) return name
  return null
}

/**
 * The task has a job again where the row tells all that the job needs; else it ends with a fault that says so, in error but where the
 * server is what it was.
 *
 * @returns what was done
 */
export async function takeUp(trx: Transaction, task: LostTask): Promise<'begun again' | 'ended' | 'ended in error'> {
  const { serverId, host, taskState } = task
  const name = jobFor(task)
  const payload = { serverId, requestId: task.requestId ?? `req-${serverId}`, adminPassword: null }
  const told = name === null ? null : jobs[name].safeParse(payload)
  if (name !== null && told?.success && (host !== null || name === 'schedule' || name === 'server.delete')) {
    const where = name === 'schedule' ? undefined : (host ?? undefined)
    await enqueue(trx, name, told.data, where)
    return 'begun again'
  }
  const message = `The job of task ${taskState} was lost, and the server's row does not tell all that it needs.`
  const fault = { code: 500, message, details: '', host }
  if (imageTasks.includes(taskState)) {
    await dropUnfinishedImages(trx, serverId)
    await abandon(trx, serverId, taskState, fault)
    return 'ended'
  }
  await fail(trx, serverId, fault)
  return 'ended in error'
}

/** A job that a worker which is no more alive still holds. */
export interface DeadLock {
  readonly jobId: string
  readonly task: string
  readonly serverId: string | null
  readonly lockedBy: string
}

/** A worker lives while its process's session with the database does, in which it has marked itself alive. */
export async function lockedByTheDead(db: Db): Promise<readonly DeadLock[]> {
  const { rows } = await db.raw<{ rows: DeadLock[] }>(
    `select j.id::text as job_id, t.identifier as task, j.payload->>'serverId' as server_id, j.locked_by
     from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
     where j.locked_at is not null`,
  )
  if (rows.length === 0) return []
  const dead = await deadAmong(db, [...new Set(rows.map(({ lockedBy }) => lockedBy))])
  return rows.filter(({ lockedBy }) => dead.has(lockedBy))
}

/** The job waits again, at once. */
export async function freeJob(db: Db, { jobId, lockedBy }: DeadLock): Promise<void> {
  await db.raw(
    `update graphile_worker._private_jobs set locked_at = null, locked_by = null, run_at = least(run_at, now())
     where id = ? and locked_by = ?`,
    [jobId, lockedBy],
  )
}

/** A job whose last attempt has failed. */
export interface SpentJob {
  readonly jobId: string
  readonly task: string
  readonly serverId: string | null
  readonly lastError: string | null
}

export async function spentJobs(db: Db): Promise<readonly SpentJob[]> {
  const { rows } = await db.raw<{ rows: SpentJob[] }>(
    `select j.id::text as job_id, t.identifier as task, j.payload->>'serverId' as server_id, j.last_error
     from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
     where j.attempts >= j.max_attempts and j.locked_at is null`,
  )
  return rows
}

/** A spent job goes; its task, if any still waits, is found by `lostTasks`. */
export async function dropJob(db: Db, jobId: string): Promise<void> {
  await db.raw('delete from graphile_worker._private_jobs where id = ? and locked_at is null', [jobId])
}

/** Jobs of workers that died wait again. @returns what was done, a line each */
export async function freeFromTheDead(db: Db): Promise<readonly string[]> {
  const dead = await lockedByTheDead(db)
  for (const lock of dead) await freeJob(db, lock)
  return dead.map(({ jobId, lockedBy }) => `job ${jobId} freed, ${lockedBy} is dead`)
}

/**
 * The clock of the database went back, so what was to be done at once would wait until it is that late again: the waiting jobs are
 * moved back with it.
 *
 * @returns how many
 */
async function followClock(db: Db): Promise<number> {
  const { rowCount } = await db.raw<{ rowCount: number }>(
    `update graphile_worker._private_jobs set run_at = run_at - (updated_at - now()), updated_at = now()
     where locked_at is null and updated_at > now() + interval '5 seconds'`,
  )
  return rowCount
}

/**
 * What a crash or a bad hour left: jobs held by the dead wait again, tasks without a job are taken up, jobs of a clock that went back are due.
 *
 * @param host whose tasks; null = those of servers without one
 * @returns    what was done, a line each
 */
export async function recover(db: Db, host: string | null): Promise<readonly string[]> {
  const done = [...(await freeFromTheDead(db))]
  const lost = await lostTasks(db, { host, graceSeconds: lostAfterSeconds })
  const early = await followClock(db)
  if (early > 0) done.push(`the clock of the database went back, ${early} jobs with it`)
  for (const task of lost) {
    const how = await db.transaction((trx) => takeUp(trx, task))
    done.push(`task ${task.taskState} of server ${task.serverId} had no job: ${how}`)
  }
  return done
}
