/** Rebuild: another guest of another image under the same name, with the same addresses. */
import type { JobPayload } from '../core/jobs.ts'
import { powerStates } from '../core/states.ts'
import { advance, findServer, finish, updateServer } from '../db/servers.ts'
import type { Host } from './host.ts'
import { attempt, replaceGuest } from './replace.ts'

export async function rebuild(host: Host, payload: JobPayload<'server.rebuild'>): Promise<void> {
  const { db, driver } = host
  const { adminPassword, personality, isStopped, reference, previousImageId } = payload
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name) return
  if (server.taskState !== 'rebuilding' && server.taskState !== 'rebuild_spawning') return
  const { id } = server
  await attempt(host, payload, {
    verb: 'rebuild',
    work: async () => {
      if (server.taskState === 'rebuilding') await advance(db, id, 'rebuilding', 'rebuild_spawning')
      await replaceGuest(host, server, { reference, adminPassword, personality, isStarted: !isStopped })
      // Before the task ends: what is aside at the next change must be the server's own disk.
      await driver.dropAside(id)
      await db.transaction(async (trx) => {
        await updateServer(trx, id, { imageReference: reference })
        const powerState = isStopped ? powerStates.shutdown : powerStates.running
        await finish(trx, id, isStopped ? 'stopped' : 'active', 'rebuild_spawning', { powerState, launched: true })
      })
    },
    undo: async () => {
      await driver.bringBack(id)
      await db.transaction((trx) => updateServer(trx, id, { imageId: previousImageId }))
    },
  })
}
