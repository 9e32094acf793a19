/** Who has backups taken of what, how often, and how many are kept; and what is due now. */
import { randomUUID } from 'node:crypto'
import { NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import { changes } from '../core/states.ts'
import type { Db } from './connect.ts'
import type { Viewer } from './images.ts'
import type { BackupPolicyRow } from './tables.ts'

/** One for each server, and one for each project: a server's own stands above its project's. */
export type BackupPolicy = BackupPolicyRow

export type NewBackupPolicy = Omit<BackupPolicyRow, 'id' | 'createdAt' | 'updatedAt'>

/** The policy of this server, or project, is this one from now on. */
export async function setBackupPolicy(db: Db, policy: NewBackupPolicy): Promise<BackupPolicy> {
  const [row] = await db('backup_policies')
    .insert({ id: randomUUID(), ...policy })
    .onConflict(db.raw(`(project_id, coalesce(server_id, '00000000-0000-0000-0000-000000000000'))`))
    .merge({ ...policy, updatedAt: new Date() })
    .returning('*')
  if (!row) throw new NotFound('Backup policy', policy.name)
  return row
}

/** Of projects before those of their servers. */
export async function listBackupPolicies(db: Db, { projectId, isAdmin }: Viewer): Promise<readonly BackupPolicy[]> {
  const query = db('backup_policies').orderBy([{ column: 'projectId' }, { column: 'serverId', nulls: 'first' }])
  return isAdmin ? await query : await query.where({ projectId })
}

/** @throws NotFound when there is none that the viewer may see */
export async function getBackupPolicy(db: Db, id: string, { projectId, isAdmin }: Viewer): Promise<BackupPolicy> {
  const row = isUuid(id) ? await db('backup_policies').where({ id }).first() : undefined
  if (!row || (!isAdmin && row.projectId !== projectId)) throw new NotFound('Backup policy', id)
  return row
}

/** The backups that it had taken stay. */
export async function deleteBackupPolicy(db: Db, id: string): Promise<void> {
  await db('backup_policies').where({ id }).delete()
}

/** A backup that is to be taken now. */
export interface DueBackup {
  readonly serverId: string
  readonly policyId: string
  /** of the policy: what Nova calls backup_type */
  readonly name: string
  readonly userId: string
  readonly keep: number
}

/**
 * A backup begins so early that it is whole before the interval is over: by the time in which nobody looks, and what the last one took, a
 * quarter of the interval at most. One that failed is tried again after a tenth of the interval, a minute at least.
 */
const due = `
with chosen as (
  select distinct on (s.id) s.id as server_id, s.host, p.id as policy_id, p.name, p.user_id, p.keep, p.is_enabled,
         make_interval(secs => p.interval_seconds) as interval
  from servers s join backup_policies p on p.project_id = s.project_id and (p.server_id = s.id or p.server_id is null)
  where s.deleted_at is null and s.task_state is null and s.host is not null and s.vm_state = any(:states)
    and (:serverId::uuid is null or s.id = :serverId)
  order by s.id, p.server_id nulls last
), waiting as (
  select c.*, (select max(i.created_at) from images i
               where i.server_id = c.server_id and i.properties->>'backup_type' = c.name
                 and i.status in ('queued', 'saving', 'active')) as newest,
         coalesce((select i.updated_at - i.created_at from images i
                   where i.server_id = c.server_id and i.properties->>'backup_type' = c.name and i.status = 'active'
                   order by i.created_at desc limit 1), interval '0') as took
  from chosen c where c.is_enabled
), ranked as (
  select w.*, row_number() over (partition by w.host order by w.newest nulls first, w.server_id) as place,
         (select count(*) from servers s join images i on i.server_id = s.id
          where s.host = w.host and i.status in ('queued', 'saving') and i.properties->>'image_type' = 'backup') as going
  from waiting w
  where (w.newest is null or w.newest <= now() - w.interval + least(
           w.interval * 0.75, make_interval(secs => :lookSeconds) + least(w.took, w.interval / 4)))
    and not exists (select from images i
                    where i.server_id = w.server_id and i.properties->>'backup_type' = w.name and i.status = 'deleted'
                      and i.reference is null
                      and i.created_at > now() - greatest(w.interval / 10, interval '1 minute'))
)
select server_id, policy_id, name, user_id, keep from ranked where place + going <= :mostPerHost order by newest nulls first`

/**
 * Of each host's servers those that wait longest.
 *
 * @param mostPerHost backups that one host takes at once
 * @param lookSeconds between two looks
 * @param serverId    only of this server
 */
export async function dueBackups(
  db: Db,
  {
    serverId = null,
    ...wish
  }: { readonly mostPerHost: number; readonly lookSeconds: number; serverId?: string | null },
): Promise<readonly DueBackup[]> {
  const states = [...changes['server.backup'].from]
  const { rows } = await db.raw<{ rows: DueBackup[] }>(due, { ...wish, states, serverId })
  return rows
}
