/**
 * Why a host counts as down whatever its agent says: cut off after a long silence, or declared so.
 *
 * Why: who sees a host down knows whether an administrator did it. Null = an administrator did.
 * Locks: hosts for as long as adding a column takes. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table hosts add column forced_down_reason text')
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}
