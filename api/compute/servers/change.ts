/** Every change of a server begins here: the guarded UPDATE, the user's action and the job, in one transaction. */
import { Conflict, ServerInvalidState } from '../../../core/errors.ts'
import { reach } from '../../../core/failpoints.ts'
import type { HostJob } from '../../../core/jobs.ts'
import type { Server } from '../../../core/server.ts'
import type { ChangeName, VmState } from '../../../core/states.ts'
import { insertAction, type ActionName } from '../../../db/actions.ts'
import type { Transaction } from '../../../db/connect.ts'
import { begin } from '../../../db/servers.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { isAllowed } from '../../policy.ts'
import type { Call } from '../../route.ts'

/** @throws Conflict when a user locked the server and the caller is no administrator */
export function refuseIfLocked({ caller }: Call, { id, lockedBy }: Server): void {
  if (lockedBy !== null && !isAllowed(caller, 'os_compute_api:os-lock-server:unlock:unlock_override'))
    throw new Conflict(`Instance ${id} is locked`)
}

/** When a request is allowed that begins no change. */
export interface Guard {
  readonly verb: string
  readonly from: readonly VmState[]
}

/**
 * The guards of db/servers.ts, `begin`, for requests that only refuse or only ask.
 *
 * @returns the server's host
 * @throws  Conflict when the server is locked or has no host; ServerInvalidState
 */
export function checkState(call: Call, server: Server, { verb, from }: Guard): string {
  refuseIfLocked(call, server)
  const { id, vmState, taskState, host } = server
  if (!from.includes(vmState)) throw new ServerInvalidState(id, verb, `vm_state ${vmState}`)
  if (taskState !== null) throw new ServerInvalidState(id, verb, `task_state ${taskState}`)
  if (host === null) throw new Conflict(`Instance ${id} is not ready`)
  return host
}

type ServerJob = Exclude<
  HostJob,
  'server.create' | 'server.inject-network' | 'server.wire' | 'server.detach' | 'server.expect' | 'server.leave'
>
type JobWithMore =
  | 'server.change-password'
  | 'server.snapshot'
  | 'server.rebuild'
  | 'server.rescue'
  | 'server.shelve'
  | 'server.unshelve'

/** Changes whose job takes nothing but the server. */
export type PlainChange = Exclude<ServerJob, JobWithMore>

interface Names {
  readonly name: ChangeName
  readonly action: ActionName
}

/** Changes that need no host. */
const hostless: readonly ChangeName[] = ['server.delete', 'server.unshelve']

/**
 * The guarded UPDATE and the user's action; the caller adds the job in the same transaction.
 *
 * @throws Conflict when the server has no host and needs one; ServerInvalidState; NotFound
 */
export async function beginChange(
  trx: Transaction,
  { requestId, caller }: Call,
  { id }: Server,
  { name, action }: Names,
): Promise<Server> {
  const server = await begin(trx, id, name)
  if (server.host === null && !hostless.includes(name)) throw new Conflict(`Instance ${id} is not ready`)
  await insertAction(trx, { serverId: id, requestId, action, userId: caller.userId, projectId: server.projectId })
  return server
}

/** A server whose change has begun. */
export type Begun = Server & { readonly host: string }

/**
 * Begins a change in one transaction: the guarded UPDATE, the user's action, and what `then` adds, the job at least.
 *
 * @throws Conflict when the server is locked or has no host; ServerInvalidState; NotFound
 */
export async function begun(
  call: Call,
  server: Server,
  names: Names,
  then: (trx: Transaction, server: Begun) => Promise<void>,
): Promise<void> {
  refuseIfLocked(call, server)
  await call.db.transaction(async (trx) => {
    const row = await beginChange(trx, call, server, names)
    const { id, host } = row
    if (host === null) throw new Conflict(`Instance ${id} is not ready`)
    await then(trx, { ...row, host })
    reach(call.config, 'api.change.written')
  })
  reach(call.config, 'api.change.committed')
}

/**
 * Begins a change that an agent carries out. A delete of a server without a host goes to the scheduler.
 *
 * @throws Conflict when the server is locked or has no host; ServerInvalidState; NotFound
 */
export async function change(call: Call, server: Server, name: PlainChange, action: ActionName): Promise<void> {
  refuseIfLocked(call, server)
  await call.db.transaction(async (trx) => {
    const { host } = await beginChange(trx, call, server, { name, action })
    await enqueue(trx, name, { serverId: server.id, requestId: call.requestId }, host ?? undefined)
    reach(call.config, 'api.change.written')
  })
  reach(call.config, 'api.change.committed')
}
