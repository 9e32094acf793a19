/** Unshelve: the guest starts again where it stands, or is made anew of its image on the host that the scheduler found. */
import { CloudError, GuestFailed, messageOf, Superseded } from '../core/errors.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import { powerStates } from '../core/states.ts'
import { Undo } from '../core/undo.ts'
import { withEvent } from '../db/action-events.ts'
import { findImage } from '../db/images.ts'
import { deleteImage } from '../db/new-images.ts'
import { returnToShelf } from '../db/placement.ts'
import { findServer, finish, updateServer } from '../db/servers.ts'
import { build } from './create.ts'
import type { Host } from './host.ts'
import { isWorthAnother } from './passing.ts'
import { startGuest } from './power.ts'
import { attempt } from './replace.ts'

async function end({ db }: Host, server: Server, reference: string): Promise<void> {
  const during = server.taskState === 'spawning' ? 'spawning' : 'unshelving'
  await db.transaction(async (trx) => {
    await updateServer(trx, server.id, { shelvedImageId: null, imageReference: reference })
    await finish(trx, server.id, 'active', during, { powerState: powerStates.running, launched: true })
  })
  if (server.shelvedImageId !== null) await deleteImage(db, server.shelvedImageId)
}

async function inPlace(host: Host, server: Server, payload: JobPayload<'server.unshelve'>): Promise<void> {
  await attempt(host, payload, {
    verb: 'unshelve',
    work: async () => {
      await startGuest(host, server.id)
      await end(host, server, server.imageReference)
    },
    undo: () => Promise.resolve(),
  })
}

/** What fails leaves the server on its shelf, whole, with a fault: it can be unshelved again. */
async function anew(host: Host, server: Server, payload: JobPayload<'server.unshelve'>): Promise<void> {
  const { db, log, name } = host
  const undo = new Undo()
  try {
    await withEvent(db, payload, { event: 'compute_unshelve_instance', host: name }, async () => {
      const image = server.shelvedImageId === null ? null : await findImage(db, server.shelvedImageId)
      if (!image?.reference) throw new GuestFailed(server.id, 'image', 'the image of the shelved server is gone')
      const wanted = { ...server, imageReference: image.reference }
      await build(host, wanted, undo, { adminPassword: null, isSeeded: false })
      await end(host, server, image.reference)
    })
    undo.commit()
    log.info({ serverId: server.id, requestId: payload.requestId }, 'server unshelved')
  } catch (error) {
    for (const left of await undo.rollback())
      log.error({ serverId: server.id, left: left.what, err: left.error }, 'not undone')
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, requestId: payload.requestId, err: error }, 'server not unshelved')
    const code = error instanceof CloudError && error.kind === 'invalid' ? 400 : 500
    const fault = { code, message: messageOf(error), details: '', host: name }
    await db.transaction((trx) => returnToShelf(trx, server.id, fault))
  }
}

export async function unshelve(host: Host, payload: JobPayload<'server.unshelve'>): Promise<void> {
  const server = await findServer(host.db, payload.serverId)
  if (server?.host !== host.name) return
  if (server.vmState === 'shelved' && server.taskState === 'unshelving') await inPlace(host, server, payload)
  if (server.vmState === 'shelved_offloaded' && server.taskState === 'spawning') await anew(host, server, payload)
}
