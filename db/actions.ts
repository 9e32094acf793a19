/** What users did to a server, newest first; the events below an action are the jobs' (db/action-events.ts). */
import type { Db, Transaction } from './connect.ts'
import type { ServerActionEventRow, ServerActionRow } from './tables.ts'

/** Nova's names of actions. */
export type ActionName =
  | 'create'
  | 'delete'
  | 'start'
  | 'stop'
  | 'reboot'
  | 'pause'
  | 'unpause'
  | 'suspend'
  | 'resume'
  | 'lock'
  | 'unlock'
  | 'resize'
  | 'confirmResize'
  | 'revertResize'
  | 'changePassword'
  | 'resetState'
  | 'restore'
  | 'attach_interface'
  | 'detach_interface'
  | 'createImage'
  | 'createBackup'
  | 'rebuild'
  | 'rescue'
  | 'unrescue'
  | 'shelve'
  | 'shelveOffload'
  | 'unshelve'
  | 'migrate'
  | 'evacuate'

/** An action that begins: what is done to a server, by whom, by which request. */
export interface NewAction {
  readonly serverId: string
  readonly requestId: string
  readonly action: ActionName
  readonly userId: string
  readonly projectId: string
  /** why, where no user asked for it */
  readonly message?: string
}

export async function insertAction(trx: Transaction, action: NewAction): Promise<void> {
  await trx('server_actions')
    .insert({ message: null, ...action })
    .options({ name: 'a new action' })
}

/** Which of a server's actions are asked for. */
export interface ActionPage {
  readonly limit: number
  /** request id of the last action of the page before */
  readonly marker: string | null
  readonly changesSince: Date | null
  readonly changesBefore: Date | null
}

export async function listActions(db: Db, serverId: string, page: ActionPage): Promise<readonly ServerActionRow[]> {
  const query = db('server_actions').where({ serverId }).orderBy('id', 'desc').limit(page.limit)
  if (page.changesSince !== null) void query.where('updatedAt', '>=', page.changesSince)
  if (page.changesBefore !== null) void query.where('updatedAt', '<=', page.changesBefore)
  if (page.marker !== null)
    void query.where('id', '<', db('server_actions').where({ serverId, requestId: page.marker }).min('id'))
  return await query
}

export async function findAction(db: Db, serverId: string, requestId: string): Promise<ServerActionRow | null> {
  return (await db('server_actions').where({ serverId, requestId }).orderBy('id', 'desc').first()) ?? null
}

/** Newest first. */
export async function eventsOf(db: Db, actionId: number): Promise<readonly ServerActionEventRow[]> {
  return await db('server_action_events').where({ actionId }).orderBy('id', 'desc')
}
