/**
 * Whoever enforces security groups on a host is told that something changed.
 *
 * Why: a rule must be on the wire in a fraction of a second, on every host that has a port of the group, and nobody is to forget to
 * say so. The notice carries nothing: who hears it reads anew, and applies what differs; notices of one transaction are one. Addresses
 * have no trigger: a new one comes with its port's groups, and commits that notify wait for each other.
 * Locks: creating a trigger takes a short lock on each of these tables. Tolerated by: every version of the code; one that does not
 * listen finds the change at its next full comparison.
 */
import type { Knex } from 'knex'

const events = {
  security_group_rules: 'insert or update or delete',
  port_security_groups: 'insert or update or delete',
  ports: 'update of mac, port_security_enabled, allowed_address_pairs, server_id',
} as const

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
create function notify_wires() returns trigger language plpgsql as $$
begin
  perform pg_notify('wires', '');
  return null;
end $$;`)
  for (const [table, when] of Object.entries(events))
    await knex.raw(
      `create trigger ${table}_wires after ${when} on ${table} for each statement execute function notify_wires();`,
    )
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}
