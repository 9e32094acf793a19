import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Db } from './connect.ts'

const directory = fileURLToPath(new URL('../migrations', import.meta.url))
/** Knex answers with the batch and the names. */
const latest = z.tuple([z.number(), z.array(z.string())])
/** Any number: all that migrate take the same lock. */
const migrationLock = 4_027_101

/**
 * Brings the tables to the newest version; done twice is as if done once. Many may call it at the same time. Knex's own lock is
 * a row that stays when its holder is killed, so an advisory lock, which dies with its session, guards it.
 *
 * @returns the names of the migrations that were run
 */
export async function migrate(db: Db): Promise<readonly string[]> {
  return await db.transaction<readonly string[]>(async (guard) => {
    await guard.raw('set local idle_in_transaction_session_timeout = 0')
    await guard.raw('set local statement_timeout = 0')
    await guard.raw('select pg_advisory_xact_lock(?)', [migrationLock])
    const settings = { directory, loadExtensions: ['.ts'], tableName: 'migrations' }
    await db.migrate.forceFreeMigrationsLock(settings)
    return latest.parse(await db.migrate.latest(settings))[1]
  })
}
