/** migrate and evacuate, to a host that is named or any that fits; os-migrateLive is refused: containers move cold. */
import { z } from 'zod'
import { Invalid, NoValidHost, NotFound } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import { hostNames } from '../../../db/host-names.ts'
import { hostStatuses } from '../../../db/host-status.ts'
import { recordMove, type MoveType } from '../../../db/moves.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import type { Call } from '../../route.ts'
import { adminPassword } from '../fields.ts'
import { begun, checkState } from '../servers/change.ts'
import { newPassword } from '../servers/new-password.ts'
import type { Action } from './action.ts'

const host = z.string().min(1).max(255)
const flag = z.union([z.boolean(), z.enum(['true', 'True', 'false', 'False'])])

/** Asked before anything begins: a cloud of one host has nowhere to move a server to. */
async function checkOthers({ db }: Call, own: string): Promise<void> {
  const others = (await hostNames(db)).filter((name) => name !== own)
  if (others.length === 0) throw new NoValidHost({ [own]: 'the server is on it' })
}

async function move(
  call: Call,
  server: Server,
  {
    type,
    adminPassword: password,
    ...how
  }: {
    readonly type: MoveType
    readonly wish: string | null
    readonly isStarted?: boolean
    readonly adminPassword?: string
  },
): Promise<void> {
  const [name, action] =
    type === 'migration' ? (['server.migrate', 'migrate'] as const) : (['server.evacuate', 'evacuate'] as const)
  const { requestId, caller } = call
  await begun(call, server, { name, action }, async (trx, row) => {
    await recordMove(trx, row, { type, ...how, userId: caller.userId })
    const payload = { serverId: row.id, requestId }
    await enqueue(trx, 'schedule.move', password === undefined ? payload : { ...payload, adminPassword: password })
  })
}

async function checkTarget({ db }: Call, target: string | null, own: string, sentence: string): Promise<void> {
  if (target === null) return
  if (target === own) throw new Invalid(sentence)
  if (!(await hostNames(db)).includes(target)) throw new Invalid(`Compute host ${target} could not be found.`)
}

/** Since 2.56; before, Nova looks at nothing beside the key. */
const coldBody = z.strictObject({
  migrate: z.union([z.null(), z.strictObject({ host: host.nullable().optional() })]),
})

export const migrate: Action = async (call, server) => {
  const wanted = call.version >= 56 ? parseBody(coldBody, call.body).migrate : null
  const own = checkState(call, server, { verb: 'migrate', from: ['active', 'stopped'] })
  const wish = wanted?.host ?? null
  await checkTarget(call, wish, own, 'Cannot migrate to the host where the server exists.')
  await checkOthers(call, own)
  await move(call, server, { type: 'migration', wish })
  return { status: 202 }
}

/** The keys that came and went: 2.25 (block_migration 'auto', no disk_over_commit), 2.30 (force), 2.68 (no force). */
function liveBody(version: number) {
  const block = version >= 25 ? z.union([flag, z.literal('auto')]) : flag
  return z.strictObject({
    'os-migrateLive': z.strictObject({
      host: host.nullable(),
      block_migration: block,
      ...(version < 25 ? { disk_over_commit: flag } : {}),
      ...(version >= 30 && version < 68 ? { force: flag.optional() } : {}),
    }),
  })
}

export const migrateLive: Action = async (call, server) => {
  const wanted = parseBody(liveBody(call.version), call.body)['os-migrateLive']
  const own = checkState(call, server, { verb: 'os-migrateLive', from: ['active', 'paused'] })
  await checkTarget(call, wanted.host, own, `Unable to migrate instance (${server.id}) to current host (${own}).`)
  const hosts = await hostNames(call.db)
  throw new NoValidHost(
    Object.fromEntries(hosts.map((name) => [name, 'containers move cold: openstack server migrate'])),
  )
}

/** The keys that came and went: 2.14 (no onSharedStorage), 2.29 (force), 2.68 (no force). */
function evacuateBody(version: number) {
  return z.strictObject({
    evacuate: z.strictObject({
      host: host.optional(),
      adminPass: adminPassword.optional(),
      ...(version < 14 ? { onSharedStorage: flag } : {}),
      ...(version >= 29 && version < 68 ? { force: flag.optional() } : {}),
    }),
  })
}

/** Only from a host that is down: two guests of one server must never run. */
export const evacuate: Action = async (call, server) => {
  const wanted = parseBody(evacuateBody(call.version), call.body).evacuate
  const own = checkState(call, server, { verb: 'evacuate', from: ['active', 'stopped', 'error'] })
  const { host: target } = wanted
  if (target !== undefined && !(await hostNames(call.db)).includes(target)) throw new NotFound('Compute host', target)
  if (target === own) throw new Invalid("The target host can't be the same one.")
  const status = (await hostStatuses(call.db, [own])).get(own)
  if (status === 'UP' || status === 'MAINTENANCE') throw new Invalid(`Compute service of ${own} is still in use.`)
  await checkOthers(call, own)
  // From 2.95 on whoever evacuates starts it, when its network and its storage are looked after.
  const isStarted = call.version < 95 && server.vmState !== 'stopped'
  const password = wanted.adminPass ?? newPassword()
  await move(call, server, { type: 'evacuation', wish: target ?? null, isStarted, adminPassword: password })
  if (call.version >= 14) return { status: 200 }
  return { status: 200, body: { adminPass: password } }
}
