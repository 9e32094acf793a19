/**
 * Networks whose frames go between hosts in tunnels (VXLAN).
 *
 * Why: such a network needs no VLAN of the building's switches, and there are sixteen million of them. It has no tag.
 * Locks: a column without a default, and a check that finds nothing to look at: a short lock on networks. Tolerated by: code that knows
 * no such column takes the network for an untagged one; no such network is there before all hosts run this version.
 */
import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
alter table networks add column vni integer unique check (vni between 1 and 16777215);
alter table networks add constraint networks_one_segment check (vlan is null or vni is null);`)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}
