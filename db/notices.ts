/** What the cloud itself did to a server, or saw it suffer: users find it among the actions. */
import { randomUUID } from 'node:crypto'
import type { Server } from '../core/server.ts'
import type { Db } from './connect.ts'

export type NoticeName = 'memoryLimit' | 'processLimit' | 'diskGuard' | 'addressTaken'

/** Something that befell a server without anybody's request. */
export interface Notice {
  readonly action: NoticeName
  readonly host: string
  /** one sentence for the owner of the server */
  readonly message: string
}

/** It is over when it is told. */
export async function insertNotice(
  db: Db,
  { id: serverId, userId, projectId }: Pick<Server, 'id' | 'userId' | 'projectId'>,
  { action, host, message }: Notice,
): Promise<void> {
  const requestId = `req-${randomUUID()}`
  await db.transaction(async (trx) => {
    const [row] = await trx('server_actions')
      .insert({ serverId, requestId, action, userId, projectId, message })
      .returning('id')
    const event = { event: `host_${action}`, host, result: 'Success', details: message, finishedAt: trx.fn.now() }
    if (row) await trx('server_action_events').insert({ actionId: row.id, ...event })
  })
}
