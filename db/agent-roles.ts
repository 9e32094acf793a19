/** Each joined host has a role of its own in the database: what its agent needs, and nothing of who may log in to the cloud. */
import { createHash, randomBytes } from 'node:crypto'
import type { Db, Transaction } from './connect.ts'

/** What no agent reads or writes. */
const secretTables = [
  'users',
  'tokens',
  'application_credentials',
  'application_credential_roles',
  'role_assignments',
  'login_failures',
  'join_tokens',
] as const

/** What agents write: servers and all that becomes of them, the wires and addresses of servers, and what hosts say of themselves. */
const writtenTables = [
  'address_history',
  'addresses',
  'allocations',
  'faults',
  'host_images',
  'hosts',
  'image_wishes',
  'images',
  'ports',
  'registry_orphans',
  'registry_state',
  'registry_writers',
  'server_action_events',
  'server_actions',
  'server_migrations',
  'servers',
] as const

async function isRole(trx: Transaction, name: string): Promise<boolean> {
  const { rowCount } = await trx.raw<{ rowCount: number }>('select from pg_roles where rolname = ?', [name])
  return rowCount > 0
}

/** Roles are the whole server's: their names say which database they are for. */
async function prefixOf(db: Db): Promise<string> {
  const { rows } = await db.raw<{ rows: { name: string }[] }>('select current_database() as name')
  return rows[0]?.name ?? ''
}

/** Names of hosts may be longer than those of roles, 63 bytes. */
function roleOf(prefix: string, host: string): string {
  const digest = createHash('sha256').update(host).digest('hex').slice(0, 8)
  return `${prefix}_agent_${host.replaceAll(/\W/g, '_').toLowerCase().slice(0, 24)}_${digest}`
}

/** The role that all agents' roles belong to may do what agents of this version do, and nothing that an earlier one did. */
async function grantToAgents(trx: Transaction, group: string): Promise<void> {
  await trx.raw('revoke all on all tables in schema public from ??', [group])
  await trx.raw('alter default privileges in schema public revoke all on tables from ??', [group])
  await trx.raw('grant select on all tables in schema public to ??', [group])
  for (const table of writtenTables) await trx.raw('grant insert, update, delete on ?? to ??', [table, group])
  for (const table of secretTables) await trx.raw('revoke all on ?? from ??', [table, group])
  const tables = 'select, insert, update, delete'
  await trx.raw(`grant ${tables} on all tables in schema graphile_worker to ??`, [group])
  await trx.raw(`alter default privileges in schema graphile_worker grant ${tables} on tables to ??`, [group])
  for (const schema of ['public', 'graphile_worker']) {
    await trx.raw('grant usage on schema ?? to ??', [schema, group])
    await trx.raw('grant usage on all sequences in schema ?? to ??', [schema, group])
    await trx.raw('alter default privileges in schema ?? grant usage on sequences to ??', [schema, group])
  }
  await openQueue(trx, group)
}

/** A job with a password in it is seen by the host that it is for, and by the one that sends its server back. */
const ownJobs = `
  payload->>'adminPassword' is null
  or task_id in (select id from graphile_worker._private_tasks where starts_with(identifier, public.agent_host() || '/'))
  or exists (select from public.servers s where s.id::text = payload->>'serverId'
             and s.failed_hosts->>public.agent_host() is not null)`

/** The queue's own tables show their rows to their owner alone, but for those whom a policy names. Source: PostgreSQL manual, 5.9 */
async function openQueue(trx: Transaction, group: string): Promise<void> {
  const guarded = await trx('pg_class')
    .whereRaw(`relnamespace = 'graphile_worker'::regnamespace and relrowsecurity`)
    .pluck<string[]>('relname')
  for (const table of guarded) {
    const seen = table === '_private_jobs' ? ownJobs : 'true'
    await trx.raw('drop policy if exists agents on ??', [`graphile_worker.${table}`])
    await trx.raw(`create policy agents on ?? to ?? using (${seen}) with check (true)`, [
      `graphile_worker.${table}`,
      group,
    ])
  }
}

/** After the tables have changed: hosts that have joined may do what their agents' next version does. */
export async function settleAgentRoles(db: Db): Promise<void> {
  await db.transaction(async (trx) => {
    const group = `${await prefixOf(trx)}_agents`
    if (await isRole(trx, group)) await grantToAgents(trx, group)
  })
}

/** By what an agent logs in to the database. */
export interface AgentRole {
  readonly user: string
  readonly password: string
}

/** The host's role with a new password; an earlier one of its no more opens the database. */
export async function agentRole(trx: Transaction, host: string): Promise<AgentRole> {
  const prefix = await prefixOf(trx)
  const [group, user] = [`${prefix}_agents`, roleOf(prefix, host)]
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', ['roles of agents'])
  if (!(await isRole(trx, group))) await trx.raw('create role ?? nologin', [group])
  await grantToAgents(trx, group)
  const password = randomBytes(24).toString('base64url')
  const isKnown = await isRole(trx, user)
  // Neither statement takes parameters; the password is of letters, digits, - and _ alone.
  await trx.raw(`${isKnown ? 'alter' : 'create'} role ?? login password '${password}'`, [user])
  await trx.raw('grant ?? to ??', [group, user])
  await trx('agent_roles').insert({ role: user, host }).onConflict('role').merge({ host })
  return { user, password }
}

/** A host that is forgotten opens the database no more; sessions that it has go on until they end. */
export async function revokeAgentRole(trx: Transaction, host: string): Promise<void> {
  const user = roleOf(await prefixOf(trx), host)
  if (await isRole(trx, user)) await trx.raw('alter role ?? nologin', [user])
}
