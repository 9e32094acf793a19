/** A host that is lost: cut off in the books, and its servers begun to be evacuated, so many at a time. */
import { randomUUID } from 'node:crypto'
import { changes } from '../core/states.ts'
import type { JobPayload } from '../core/jobs.ts'
import { insertAction } from './actions.ts'
import type { Db, Transaction } from './connect.ts'
import { recordMove } from './moves.ts'
import { begin } from './servers.ts'

/** A server that no host took is tried again so much later. */
const againMinutes = 5

/** From now on no place on it is promised, whatever its agent says, until an administrator declares it up. */
export async function markFenced(db: Db, name: string, reason: string): Promise<void> {
  await db('hosts').where({ name }).update({ isForcedDown: true, forcedDownReason: reason })
}

/**
 * Servers that are to be deleted, of hosts that were declared down and have said nothing for so long; they are the caller's until its
 * transaction ends.
 */
export async function deletesOfFenced(
  trx: Transaction,
  silentSeconds: number,
): Promise<readonly { readonly id: string; readonly host: string; readonly requestId: string }[]> {
  const { rows } = await trx.raw<{ rows: { id: string; host: string; requestId: string }[] }>(
    `select s.id, s.host, coalesce((select a.request_id from server_actions a
                                    where a.server_id = s.id and a.action = 'delete' order by a.id desc limit 1), '') as request_id
     from servers s join hosts h on h.name = s.host
     where s.task_state = 'deleting' and s.deleted_at is null
       and h.is_forced_down and h.heartbeat_at < now() - make_interval(secs => ?)
     for update of s skip locked`,
    [silentSeconds],
  )
  return rows
}

/** A server that its host was to build, or to bring back from its shelf. */
export interface LostBuild {
  readonly id: string
  readonly host: string
  readonly isShelved: boolean
  readonly requestId: string
}

/** Of these hosts, as far as they have said nothing for so long; they are the caller's until its transaction ends. */
export async function buildsOfSilent(
  trx: Transaction,
  hosts: readonly string[],
  silentSeconds: number,
): Promise<readonly LostBuild[]> {
  const { rows } = await trx.raw<{ rows: LostBuild[] }>(
    `select s.id, s.host, s.vm_state = 'shelved_offloaded' as is_shelved,
            coalesce((select a.request_id from server_actions a
                      where a.server_id = s.id and a.action in ('create', 'unshelve') order by a.id desc limit 1), '') as request_id
     from servers s join hosts h on h.name = s.host
     where s.host = any(:hosts) and s.task_state = 'spawning' and s.vm_state in ('building', 'shelved_offloaded')
       and s.deleted_at is null and h.heartbeat_at < now() - make_interval(secs => :silentSeconds)
     for update of s skip locked`,
    { hosts: [...hosts], silentSeconds },
  )
  return rows
}

/** Those that no evacuation has failed for a moment ago, the oldest first; one in ERROR is its user's to look at. */
const waiting = `
  select id from servers s
  where host = :host and deleted_at is null and task_state is null and vm_state = any(:states)
    and not exists (select from server_migrations m
                    where m.server_id = s.id and m.type = 'evacuation' and m.source_host = s.host and m.status = 'error'
                      and m.updated_at > now() - make_interval(mins => :againMinutes))
  order by created_at, id limit :limit`

async function goingOn(trx: Transaction, sourceHost: string): Promise<number> {
  const open = ['pre-migrating', 'migrating', 'post-migrating']
  const rows = await trx('server_migrations').where({ type: 'evacuation', sourceHost }).whereIn('status', open)
  return rows.length
}

/**
 * Begins evacuations as far as there is room for more at once. Two schedulers take turns by the row of the host.
 *
 * @param enqueue adds the job that finds a host, in the same transaction
 * @returns       the servers
 */
export async function beginEvacuations(
  db: Db,
  { host, atOnce, message }: { readonly host: string; readonly atOnce: number; readonly message: string },
  enqueue: (trx: Transaction, payload: JobPayload<'schedule.move'>) => Promise<void>,
): Promise<readonly string[]> {
  return await db.transaction(async (trx) => {
    await trx('hosts').where({ name: host }).forUpdate().select('name')
    const limit = Math.max(0, atOnce - (await goingOn(trx, host)))
    const states = changes['server.evacuate'].from.filter((state) => state !== 'error')
    const { rows } = await trx.raw<{ rows: { id: string }[] }>(waiting, { host, states, againMinutes, limit })
    for (const { id: serverId } of rows) {
      const server = await begin(trx, serverId, 'server.evacuate')
      const { userId, projectId } = server
      const requestId = `req-${randomUUID()}`
      await insertAction(trx, { serverId, requestId, action: 'evacuate', userId, projectId, message })
      await recordMove(
        trx,
        { ...server, host },
        { type: 'evacuation', wish: null, userId, isStarted: server.vmState !== 'stopped' },
      )
      await enqueue(trx, { serverId, requestId })
    }
    return rows.map(({ id }) => id)
  })
}
