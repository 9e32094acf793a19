/**
 * A port or a network that is taken down, or up again, is on the wire at once.
 *
 * Why: who disables a port expects that nothing passes there from then on.
 * Locks: creating a trigger takes a short lock on each of the two tables. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  for (const table of ['networks', 'ports'])
    await knex.raw(
      `create trigger ${table}_state_wires after update of admin_state_up on ${table}
       for each statement execute function notify_wires();`,
    )
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}
