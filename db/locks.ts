import { createHash } from 'node:crypto'
import pg from 'pg'
import { Conflict } from '../core/errors.ts'

export interface Lock {
  /** Rejects when the session that holds the lock is lost: the holder must end. */
  readonly lost: Promise<never>
  release(): Promise<void>
}

/** The advisory key of a lock: the first 63 bits of the digest of its name. */
export function keyOf(name: string): string {
  return (createHash('sha256').update(name).digest().readBigUInt64BE() >> 1n).toString()
}

/**
 * Takes a lock that lives as long as this process's own session with the database: who is killed loses it.
 *
 * @param name   what is locked, such as 'agent compute-1'
 * @param holder who asks; the next one to ask is told this name
 * @throws       Conflict naming the present holder
 */
export async function takeLock(databaseUrl: string, name: string, holder: string): Promise<Lock> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: `lock ${holder}`.slice(0, 63),
    keepAlive: true,
  })
  const lost = new Promise<never>((_resolve, reject) => {
    client.on('error', (error) => reject(new Conflict(`lock ${name} was lost: ${error.message}`, { cause: error })))
    client.on('end', () => reject(new Conflict(`lock ${name} was lost: the database closed the session`)))
  })
  lost.catch(() => undefined)
  await client.connect()
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
  return { lost, release: () => client.end() }
}
