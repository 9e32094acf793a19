import { NotFound } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import { isUuid } from '../../../core/uuid.ts'
import { findServer } from '../../../db/servers.ts'
import { findShown, type ShownServer } from '../../../db/shown-servers.ts'
import type { Call } from '../../route.ts'

type Asker = Pick<Call, 'db' | 'caller'>

interface Wanted extends Pick<Call, 'caller'> {
  readonly id: string | undefined
  readonly deleted: boolean
}

function visible<S extends Pick<Server, 'id' | 'projectId'> & { readonly deletedAt: unknown }>(
  server: S | null,
  { id, caller, deleted }: Wanted,
): S {
  if (!server || (server.deletedAt !== null && !deleted)) throw new NotFound('Instance', id ?? '')
  if (!caller.isAdmin && server.projectId !== caller.projectId) throw new NotFound('Instance', server.id)
  return server
}

/**
 * The server that the path names, if the caller may see it.
 *
 * @param options.deleted also one that is deleted
 * @throws NotFound, also for a server of another project: its existence is not told
 */
export async function serverOf(
  { db, caller }: Asker,
  id: string | undefined,
  options: { readonly deleted: boolean } = { deleted: false },
): Promise<Server> {
  const server = id !== undefined && isUuid(id) ? await findServer(db, id) : null
  return visible(server, { id, caller, ...options })
}

/** What the view of a server needs. @throws NotFound as `serverOf` does */
export async function shownOf({ db, caller }: Asker, id: string | undefined): Promise<ShownServer> {
  const server = id !== undefined && isUuid(id) ? await findShown(db, id) : null
  return visible(server, { id, caller, deleted: false })
}
