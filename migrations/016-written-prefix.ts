/**
 * The prefix of a security group rule, as its user wrote it: 10.0.0.7/24 is shown as that, and means 10.0.0.0/24.
 *
 * Why: Neutron shows both. Locks: a short one, no rewrite. Tolerated by: every version of the code; null is the prefix itself.
 */
import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table security_group_rules add column written_prefix text')
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}
