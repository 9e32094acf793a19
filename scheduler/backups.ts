/** Backups by policy: what is due begins, as if a user had asked for it. */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Config } from '../core/config.ts'
import { ServerInvalidState } from '../core/errors.ts'
import { insertAction } from '../db/actions.ts'
import { dueBackups, type DueBackup } from '../db/backup-policies.ts'
import type { Db } from '../db/connect.ts'
import { begin, lockServer } from '../db/servers.ts'
import { backupProperties, insertSnapshot } from '../db/snapshots.ts'
import { enqueue } from '../jobs/enqueue.ts'

interface Scene {
  readonly db: Db
  readonly config: Pick<Config, 'backupsAtOnce' | 'reconcileSeconds'>
  readonly log: Logger
}

function wishOf({ config }: Scene): { readonly mostPerHost: number; readonly lookSeconds: number } {
  return { mostPerHost: config.backupsAtOnce, lookSeconds: config.reconcileSeconds }
}

/** Two schedulers begin one backup: the second finds, with the row in its hand, that it is due no more. */
async function take(scene: Scene, { serverId }: DueBackup): Promise<string | null> {
  const { db } = scene
  return await db.transaction(async (trx) => {
    await lockServer(trx, serverId)
    const [due] = await dueBackups(trx, { ...wishOf(scene), serverId })
    if (!due) return null
    const server = await begin(trx, serverId, 'server.backup')
    if (server.host === null) return null
    const [requestId, { userId, name, keep }] = [`req-${randomUUID()}`, due]
    await insertAction(trx, { serverId, requestId, action: 'createBackup', userId, projectId: server.projectId })
    const when = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
    const snapshot = {
      name: `${server.name}-${name}-${when}`,
      metadata: {},
      properties: { ...backupProperties(name, keep), berth_backup_policy: due.policyId },
    }
    const { id: imageId } = await insertSnapshot(trx, { server, userId }, snapshot)
    await enqueue(trx, 'server.snapshot', { serverId, requestId, imageId }, server.host)
    return imageId
  })
}

/** Returns when what is due has begun; the agents take the backups. */
export async function takeBackups(scene: Scene): Promise<void> {
  const { db, log } = scene
  for (const due of await dueBackups(db, wishOf(scene))) {
    const { serverId, name } = due
    try {
      const imageId = await take(scene, due)
      if (imageId !== null) log.info({ serverId, imageId, policy: name }, 'backup begun')
    } catch (error) {
      // A user's request came first: it is looked at again in a while.
      if (!(error instanceof ServerInvalidState)) throw error
    }
  }
}
