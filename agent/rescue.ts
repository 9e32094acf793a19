/** Rescue: another guest boots with the server's wires, and finds the server's own disk at /mnt. Unrescue puts it back. */
import type { JobPayload } from '../core/jobs.ts'
import { powerStates } from '../core/states.ts'
import { findServer, finish, updateServer } from '../db/servers.ts'
import type { Host } from './host.ts'
import { startGuest } from './power.ts'
import { attempt, replaceGuest } from './replace.ts'

export async function rescue(host: Host, payload: JobPayload<'server.rescue'>): Promise<void> {
  const { db, driver } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name || server.taskState !== 'rescuing') return
  const { id, imageReference, rescueReference } = server
  await attempt(host, payload, {
    verb: 'rescue',
    work: async () => {
      const { adminPassword } = payload
      const reference = rescueReference ?? imageReference
      await replaceGuest(host, server, { reference, adminPassword, isStarted: true, asideAt: '/mnt' })
      await finish(db, id, 'rescued', 'rescuing', { powerState: powerStates.running, launched: true })
    },
    undo: () => driver.bringBack(id),
  })
}

export async function unrescue(host: Host, payload: JobPayload<'server.unrescue'>): Promise<void> {
  const { config, db, driver } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name || server.taskState !== 'unrescuing') return
  const { id } = server
  await attempt(host, payload, {
    verb: 'unrescue',
    work: async () => {
      await driver.stop(id, config.stopGraceSeconds)
      await driver.bringBack(id)
      await startGuest(host, id)
      await db.transaction(async (trx) => {
        await updateServer(trx, id, { rescueReference: null })
        await finish(trx, id, 'active', 'unrescuing', { powerState: powerStates.running })
      })
    },
    undo: () => driver.bringBack(id),
  })
}
