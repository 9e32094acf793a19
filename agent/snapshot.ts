/** createImage and createBackup: the guest's disk becomes an image, and the guest goes on as it was. */
import { GuestFailed, messageOf, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { TaskState } from '../core/states.ts'
import { withEvent } from '../db/action-events.ts'
import { deleteImage, rotateBackups } from '../db/new-images.ts'
import { abandon, advance, findServer, release } from '../db/servers.ts'
import type { Host } from './host.ts'
import { isWorthAnother } from './passing.ts'
import { saveImage } from './save-image.ts'

const tasks: readonly TaskState[] = ['image_snapshot', 'image_backup', 'image_pending_upload', 'image_uploading']

/** Taken up from the beginning when an agent died over it. The guest's turn is held only while its disk is copied. */
export async function snapshot(host: Host, payload: JobPayload<'server.snapshot'>): Promise<void> {
  const { config, db, log } = host
  const { imageId } = payload
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name || server.taskState === null || !tasks.includes(server.taskState)) return
  const begun = server.taskState
  const wish = { imageId, keepsIdentity: false }
  reach(config, 'agent.change.begun')
  try {
    await withEvent(db, payload, { event: 'compute_snapshot_instance', host: host.name }, async () => {
      await saveImage(host, server, wish, {
        inTurn: (work) => host.turns.at(server.id, work),
        afterCapture: async () => {
          reach(config, 'agent.snapshot.captured')
          if (begun !== 'image_uploading') await advance(db, server.id, begun, 'image_uploading')
        },
      })
      await release(db, server.id, 'image_uploading')
      await rotateBackups(db, imageId)
      reach(config, 'agent.change.finished')
    })
    log.info({ serverId: server.id, requestId: payload.requestId, imageId }, 'image made')
  } catch (error) {
    if (!(error instanceof Superseded) && (await isWorthAnother(host, server.id, error))) throw error
    await deleteImage(db, imageId)
    if (error instanceof Superseded) return
    await report(host, server.id, { payload, error })
  }
}

async function report(
  { db, log, name }: Host,
  serverId: string,
  { payload, error }: { readonly payload: JobPayload<'server.snapshot'>; readonly error: unknown },
): Promise<void> {
  const failed = new GuestFailed(serverId, 'snapshot', messageOf(error), { cause: error })
  log.error({ serverId, requestId: payload.requestId, err: failed }, 'image not made')
  const { taskState } = (await findServer(db, serverId)) ?? {}
  if (!taskState || !tasks.includes(taskState)) return
  const fault = { code: 500, message: failed.message, details: '', host: name }
  await db.transaction((trx) => abandon(trx, serverId, taskState, fault))
}
