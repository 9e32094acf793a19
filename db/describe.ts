/** Reads the shape of a migrated database: for migrations/schema.sql and db/tables.ts, which are generated. */
import { camelCase, type Db } from './connect.ts'

interface Column {
  readonly tableName: string
  readonly columnName: string
  readonly dataType: string
  readonly isNullable: boolean
  readonly defaultValue: string | null
}

/** Columns whose values are narrower than their SQL type says. */
const narrower: Readonly<Record<string, string>> = {
  'servers.vm_state': 'VmState',
  'servers.task_state': 'TaskState',
  'servers.power_state': 'PowerState',
  'servers.flavor': 'ServerFlavor',
  'servers.metadata': 'Readonly<Record<string, string>>',
  'servers.hints': 'Readonly<Record<string, unknown>>',
  'servers.disk_config': "'AUTO' | 'MANUAL'",
  'aggregates.metadata': 'Readonly<Record<string, string>>',
  'server_groups.policy': "'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'",
  'server_migrations.type': "'migration' | 'resize' | 'live-migration' | 'evacuation'",
  'server_migrations.transport': "'delta' | 'registry'",
  'server_migrations.phase': "'estimate' | 'begin' | 'sync' | 'switch'",
  'server_migrations.old_flavor': 'ServerFlavor',
  'server_migrations.new_flavor': 'ServerFlavor',
  'servers.failed_hosts': 'Readonly<Record<string, string>>',
  'flavors.extra_specs': 'Readonly<Record<string, string>>',
  'images.properties': 'Readonly<Record<string, string>>',
  'hosts.traits': 'Readonly<Record<string, unknown>>',
  'hosts.own_limits': 'HostLimits',
  'hosts.set_limits': 'Partial<HostLimits>',
  'hosts.disabled_as': "'disabled' | 'draining' | 'maintenance'",
  'application_credentials.access_rules': 'readonly AccessRule[]',
  'endpoints.interface': "'public' | 'internal' | 'admin'",
  'projects.extra': 'Readonly<Record<string, unknown>>',
  'users.extra': 'Readonly<Record<string, unknown>>',
  'images.status': "'queued' | 'uploading' | 'importing' | 'saving' | 'active' | 'deactivated' | 'killed' | 'deleted'",
  'images.visibility': "'public' | 'private' | 'shared' | 'community'",
  'image_members.status': "'pending' | 'accepted' | 'rejected'",
  'ports.status': "'DOWN' | 'BUILD' | 'ACTIVE' | 'ERROR'",
  'addresses.state': "'used' | 'free' | 'reserved'",
  'ports.allowed_address_pairs': 'readonly AddressPair[]',
  'subnets.host_routes': 'readonly HostRoute[]',
  'security_group_rules.direction': "'ingress' | 'egress'",
  'qos_rules.direction': "'ingress' | 'egress'",
  'security_group_rules.ethertype': "'IPv4' | 'IPv6'",
}

const scalars: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  integer: 'number',
  bigint: 'number',
  real: 'number',
  'timestamp with time zone': 'Date',
  'text[]': 'readonly string[]',
  bytea: 'Buffer',
}

async function columns(db: Db): Promise<readonly Column[]> {
  const { rows } = await db.raw<{ rows: Column[] }>(`
    select c.relname as table_name, a.attname as column_name, format_type(a.atttypid, a.atttypmod) as data_type,
           not a.attnotnull as is_nullable, pg_get_expr(d.adbin, d.adrelid) as default_value
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'migrations%'
    order by c.relname, a.attnum`)
  return rows
}

async function definitions(db: Db): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { text: string }[] }>(`
    select 'alter table ' || conrelid::regclass || ' add constraint ' || conname || ' ' || pg_get_constraintdef(oid) || ';' as text
      from pg_constraint where connamespace = 'public'::regnamespace and conrelid::regclass::text not like 'migrations%' and contype <> 'n'
    union all
    select indexdef || ';' from pg_indexes where schemaname = 'public' and tablename not like 'migrations%'
      and indexname not in (select conname from pg_constraint)
    union all
    select pg_get_functiondef(oid) || ';' from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select pg_get_triggerdef(oid) || ';' from pg_trigger where not tgisinternal and tgfoid in (
      select oid from pg_proc where pronamespace = 'public'::regnamespace)
    order by 1`)
  return rows.map((row) => row.text)
}

function byTable(all: readonly Column[]): readonly (readonly [string, readonly Column[]])[] {
  return Object.entries(Object.groupBy(all, (column) => column.tableName)).map(
    ([table, of]) => [table, of ?? []] as const,
  )
}

/** The dump that is reviewed like code. */
export async function schemaText(db: Db): Promise<string> {
  const tables = byTable(await columns(db)).map(([table, of]) => {
    const lines = of.map(
      (c) =>
        `  ${c.columnName} ${c.dataType}${c.isNullable ? '' : ' not null'}${c.defaultValue === null ? '' : ` default ${c.defaultValue}`}`,
    )
    return `create table ${table} (\n${lines.join(',\n')}\n);`
  })
  return ['-- Generated by db/generate.ts: do not edit.', ...tables, ...(await definitions(db))].join('\n\n') + '\n'
}

function interfaceName(table: string): string {
  const singular = table
    .replace(/ies$/, 'y')
    .replace(/(ss|sh)es$/, '$1')
    .replace(/(?<!s)s$/, '')
  return `${singular.replace(/(^|_)([a-z])/g, (_all, _start, letter: string) => letter.toUpperCase())}Row`
}

/** db/tables.ts: a row type per table, and knex told of them. */
export async function tablesText(db: Db): Promise<string> {
  const tables = byTable(await columns(db))
  const rows = tables.map(([table, of]) => {
    const lines = of.map((c) => {
      const type = narrower[`${table}.${c.columnName}`] ?? scalars[c.dataType] ?? 'string'
      return `  readonly ${camelCase(c.columnName)}: ${type}${c.isNullable ? ' | null' : ''}`
    })
    return `export interface ${interfaceName(table)} {\n${lines.join('\n')}\n}`
  })
  const known = tables.map(([table]) => `    ${table}: ${interfaceName(table)}`)
  return (
    [
      '/** Generated by db/generate.ts from the migrated database: do not edit. */',
      "import type { AccessRule } from '../core/identity.ts'\nimport type { HostLimits } from '../core/host.ts'\nimport type { AddressPair, HostRoute } from '../core/network.ts'\nimport type { ServerFlavor } from '../core/server.ts'\nimport type { PowerState, TaskState, VmState } from '../core/states.ts'",
      ...rows,
      `declare module 'knex/types/tables.js' {\n  interface Tables {\n${known.join('\n')}\n  }\n}`,
    ].join('\n\n') + '\n'
  )
}
