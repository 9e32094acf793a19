import { messageOf, Superseded } from '../core/errors.ts'
import type { Db } from './connect.ts'

interface Request {
  readonly serverId: string
  readonly requestId: string
}

/**
 * Records what a job does as an event of the user's action (`openstack server event show`), with its result. An action that is not
 * there gets no event; the work is done all the same.
 */
export async function withEvent<T>(
  db: Db,
  { serverId, requestId }: Request,
  { event, host }: { readonly event: string; readonly host: string },
  work: () => Promise<T>,
): Promise<T> {
  const action = await db('server_actions').where({ serverId, requestId }).orderBy('id', 'desc').first('id')
  const [row] = action
    ? await db('server_action_events').insert({ actionId: action.id, event, host }).returning('id')
    : []
  const end = async (result: 'Success' | 'Error', details: string | null): Promise<void> => {
    if (!action || !row) return
    await db('server_action_events').where({ id: row.id }).update({ finishedAt: db.fn.now(), result, details })
    await db('server_actions')
      .where({ id: action.id })
      .update({ updatedAt: db.fn.now(), ...(result === 'Error' ? { message: 'Error' } : {}) })
  }
  try {
    const value = await work()
    await end('Success', null)
    return value
  } catch (error) {
    if (!(error instanceof Superseded)) await end('Error', messageOf(error))
    throw error
  }
}
