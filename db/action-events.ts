import { messageOf, Superseded } from '../core/errors.ts'
import type { Db } from './connect.ts'

interface Request {
  readonly serverId: string
  readonly requestId: string
}

/** The event of a job that was cut short before is gone on with. */
async function openEvent(
  db: Db,
  { actionId, event, host }: { readonly actionId: number; readonly event: string; readonly host: string },
): Promise<{ readonly id: number } | null> {
  const open = await db('server_action_events').where({ actionId, event, host }).whereNull('finishedAt').first('id')
  if (open) return open
  const [row] = await db('server_action_events').insert({ actionId, event, host }).returning('id')
  return row ?? null
}

/**
 * Ends what a job of this request left open: it was killed between its last change of the row and its word about it, or a later request
 * took the server over. The row tells how it ended. A request that found nothing left to do, since another of its kind ended after it was
 * made, ended with that one.
 */
export async function endEvents(db: Db, { serverId, requestId }: Request): Promise<void> {
  await db.raw(
    `with mine as (
       select a.*, case when s.vm_state = 'error' then 'Error' else 'Success' end as result
       from server_actions a join servers s on s.id = a.server_id where a.server_id = ? and a.request_id = ?
     ), ended as (
       update server_action_events e set finished_at = now(), result = m.result
       from mine m where e.action_id = m.id and e.finished_at is null
     )
     insert into server_action_events (action_id, event, host, finished_at, result)
     select distinct on (m.id) m.id, e.event, e.host, now(), m.result
     from mine m join server_actions o on o.server_id = m.server_id and o.action = m.action and o.id <> m.id
                 join server_action_events e on e.action_id = o.id and coalesce(e.finished_at, now()) >= m.started_at
     where not exists (select from server_action_events x where x.action_id = m.id)
     order by m.id, e.id`,
    [serverId, requestId],
  )
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
  const row = action ? await openEvent(db, { actionId: action.id, event, host }) : null
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
