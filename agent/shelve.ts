/** Shelve: the server's disk becomes an image, and its place on the host is given up. */
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import { powerStates, type TaskState } from '../core/states.ts'
import { withEvent } from '../db/action-events.ts'
import { deleteImage } from '../db/new-images.ts'
import { offload } from '../db/placement.ts'
import { advance, begin, findServer, finish } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { demolish } from './delete.ts'
import type { Host } from './host.ts'
import { attempt } from './replace.ts'
import { saveImage } from './save-image.ts'

const tasks: readonly TaskState[] = ['shelving', 'shelving_image_uploading', 'shelving_offloading']

/** The guest goes from the host; its addresses and ports stay the server's. */
async function leaveHost(host: Host, server: Server): Promise<void> {
  const vifs = await vifsOf(host.db, server.id)
  await demolish(
    host,
    server.id,
    vifs.map((vif) => vif.portId),
  )
  await host.db.transaction((trx) => offload(trx, server.id))
}

async function save(host: Host, server: Server, imageId: string): Promise<void> {
  const { config, db, driver } = host
  await driver.stop(server.id, config.stopGraceSeconds)
  if (server.taskState === 'shelving') await advance(db, server.id, 'shelving', 'shelving_image_uploading')
  await saveImage(
    host,
    server,
    { imageId, keepsIdentity: true },
    { inTurn: (work) => work(), afterCapture: () => Promise.resolve() },
  )
}

/** With no time to stay, the server is offloaded at once: its image is in the registry by then. */
export async function shelve(host: Host, payload: JobPayload<'server.shelve'>): Promise<void> {
  const { config, db } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name || server.taskState === null || !tasks.includes(server.taskState)) return
  if (server.taskState !== 'shelving_offloading')
    await attempt(host, payload, {
      verb: 'shelve',
      work: async () => {
        await save(host, server, payload.imageId)
        if (config.shelvedOffloadSeconds === 0)
          await advance(db, server.id, 'shelving_image_uploading', 'shelving_offloading')
        else await finish(db, server.id, 'shelved', 'shelving_image_uploading', { powerState: powerStates.shutdown })
      },
      undo: () => deleteImage(db, payload.imageId),
    })
  // What fails from here on is tried again: the disk is in the registry, and half of a guest is none.
  const saved = await findServer(db, server.id)
  if (saved?.taskState === 'shelving_offloading') await leaveHost(host, server)
}

export async function shelveOffload(host: Host, payload: JobPayload<'server.shelve-offload'>): Promise<void> {
  const { db } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name || server.taskState !== 'shelving_offloading') return
  await withEvent(db, payload, { event: 'compute_shelve_offload_instance', host: host.name }, () =>
    leaveHost(host, server),
  )
}

/** Must be called in the server's turn: a server that was shelved long enough ago leaves the host. */
export async function offloadInTime(host: Host, server: Server): Promise<void> {
  const { config, db, log } = host
  const seconds = config.shelvedOffloadSeconds
  if (server.vmState !== 'shelved' || seconds < 0 || Date.now() - server.updatedAt.getTime() < seconds * 1000) return
  await db.transaction((trx) => begin(trx, server.id, 'server.shelve-offload'))
  await leaveHost(host, server)
  log.info({ serverId: server.id }, 'shelved server offloaded')
}
