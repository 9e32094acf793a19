import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Conflict } from '../core/errors.ts'
import { isDatabaseAway, type Db } from './connect.ts'

/** A sign of life in the database: it ends with the session that holds it. */
export interface Lock {
  /** Rejects when the session that holds the lock is lost: the holder must end. */
  readonly lost: Promise<never>
  /** The same session also holds the lock of a worker, for as long as it lives. */
  markAlive(workerId: string): Promise<void>
  release(): Promise<void>
}

/** What a worker of the queue holds while it lives. */
function workerLock(workerId: string): string {
  return `worker ${workerId}`
}

/** Those of these workers that no living session answers for. */
export async function deadAmong(db: Db, workerIds: readonly string[]): Promise<ReadonlySet<string>> {
  const keys = workerIds.map((id) => keyOf(workerLock(id)))
  const { rows } = await db.raw<{ rows: { index: number }[] }>(
    `select k.index::int from unnest(?::bigint[]) with ordinality k(key, index)
     where not exists (select from pg_locks l where l.locktype = 'advisory' and l.granted
                       and ((l.classid::bigint << 32) | l.objid::bigint) = k.key)`,
    [keys],
  )
  return new Set(rows.flatMap(({ index }) => workerIds[index - 1] ?? []))
}

/** The advisory key of a lock: the first 63 bits of the digest of its name. */
export function keyOf(name: string): string {
  return (createHash('sha256').update(name).digest().readBigUInt64BE() >> 1n).toString()
}

/** A database that starts, or sleeps, is waited for: who ended because it went away has nothing else to do. */
const startMs = 120_000
const retryMs = 300
const answerMs = 10_000

/** A session of its own, opened as soon as the database takes one. */
async function openSession(databaseUrl: string, name: string): Promise<pg.Client> {
  const deadline = performance.now() + startMs
  for (;;) {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: name.slice(0, 63),
      keepAlive: true,
      connectionTimeoutMillis: answerMs,
    })
    // The holder learns of a broken session by `lost`; until then this listener keeps it from ending the process.
    client.on('error', () => undefined)
    try {
      await client.connect()
      return client
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() > deadline) throw error
      await sleep(retryMs)
    }
  }
}

/** A session without a lock of its own: for those of whom there may be several. */
export async function openLock(databaseUrl: string, holder: string): Promise<Lock> {
  return lockOf(await openSession(databaseUrl, `lock ${holder}`), holder)
}

function lockOf(client: pg.Client, name: string): Lock {
  const lost = new Promise<never>((_resolve, reject) => {
    client.on('error', (error) => reject(new Conflict(`lock ${name} was lost: ${error.message}`, { cause: error })))
    client.on('end', () => reject(new Conflict(`lock ${name} was lost: the database closed the session`)))
  })
  lost.catch(() => undefined)
  return {
    lost,
    markAlive: async (workerId) => {
      await client.query('select pg_advisory_lock($1::bigint)', [keyOf(workerLock(workerId))])
    },
    release: () => client.end(),
  }
}

/**
 * Takes a lock that lives as long as this process's own session with the database: who is killed loses it.
 *
 * @param name   what is locked, such as 'agent compute-1'
 * @param holder who asks; the next one to ask is told this name
 * @throws       Conflict naming the present holder
 */
export async function takeLock(databaseUrl: string, name: string, holder: string): Promise<Lock> {
  const client = await openSession(databaseUrl, `lock ${holder}`)
  const lock = lockOf(client, name)
  const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1::bigint) as taken', [
    keyOf(name),
  ])
  if (rows[0]?.taken !== true) {
    const { rows: present } = await client.query<{ application_name: string }>(
      `select application_name from pg_locks join pg_stat_activity using (pid)
       where locktype = 'advisory' and granted and ((classid::bigint << 32) | objid::bigint) = $1::bigint`,
      [keyOf(name)],
    )
    await client.end()
    throw new Conflict(
      `${name} is already run by ${present[0]?.application_name.replace(/^lock /, '') ?? 'another process'}`,
    )
  }
  return lock
}
