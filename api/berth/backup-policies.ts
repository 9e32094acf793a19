/** Backups that the cloud takes by itself. */
import { z } from 'zod'
import { Forbidden, Invalid } from '../../core/errors.ts'
import {
  deleteBackupPolicy,
  getBackupPolicy,
  listBackupPolicies,
  setBackupPolicy,
  type BackupPolicy,
} from '../../db/backup-policies.ts'
import { parseBody } from '../body.ts'
import { projectOf, viewerOf } from '../caller.ts'
import { serverOf } from '../compute/servers/find.ts'
import type { Call, Reply } from '../route.ts'

const body = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .default('periodic'),
  /** none = all of the project's servers that have no policy of their own */
  server_id: z.uuid().nullable().default(null),
  /** none = the caller's */
  project_id: z.string().min(1).max(64).nullable().default(null),
  interval_seconds: z.int().min(60).max(31_622_400),
  keep: z.int().min(1).max(1000),
  enabled: z.boolean().default(true),
})

function view(policy: BackupPolicy): unknown {
  const { id, name, projectId, serverId, intervalSeconds, keep, isEnabled } = policy
  return {
    id,
    name,
    project_id: projectId,
    server_id: serverId,
    interval_seconds: intervalSeconds,
    keep,
    enabled: isEnabled,
    created_at: policy.createdAt,
    updated_at: policy.updatedAt,
  }
}

export async function index({ db, caller }: Call): Promise<Reply> {
  return { status: 200, body: { backup_policies: (await listBackupPolicies(db, viewerOf(caller))).map(view) } }
}

export async function show({ db, caller, params: { id = '' } }: Call): Promise<Reply> {
  return { status: 200, body: { backup_policy: view(await getBackupPolicy(db, id, viewerOf(caller))) } }
}

/** Of a server, or of a project: an earlier one of the same is replaced. */
export async function set(call: Call): Promise<Reply> {
  const { db, caller } = call
  const { server_id: serverId, project_id: wanted, ...rest } = parseBody(body, call.body)
  const server = serverId === null ? null : await serverOf(call, serverId)
  const projectId = server?.projectId ?? wanted ?? projectOf(caller)
  if (wanted !== null && wanted !== projectId) throw new Invalid(`project_id: server ${serverId ?? ''} is of another.`)
  if (!caller.isAdmin && projectId !== caller.projectId)
    throw new Forbidden('A backup policy of another project is an administrator to set.')
  const policy = await setBackupPolicy(db, {
    projectId,
    serverId,
    userId: caller.userId,
    name: rest.name,
    intervalSeconds: rest.interval_seconds,
    keep: rest.keep,
    isEnabled: rest.enabled,
  })
  return { status: 200, body: { backup_policy: view(policy) } }
}

export async function remove({ db, caller, params: { id = '' } }: Call): Promise<Reply> {
  await deleteBackupPolicy(db, (await getBackupPolicy(db, id, viewerOf(caller))).id)
  return { status: 204 }
}
