/** /os-services: schedulers, and agents as Nova's compute services. An agent's host can be disabled, declared down, and forgotten. */
import { z } from 'zod'
import { Invalid, NotFound } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'
import { revokeAgentRole } from '../../db/agent-roles.ts'
import { changeHost, deleteHost, hostsWithUse, type HostUse, type HostWish } from '../../db/hosts.ts'
import { forgetScheduler, listSchedulers, type SchedulerState } from '../../db/schedulers.ts'
import { parseBody } from '../body.ts'
import { HttpFault } from '../faults.ts'
import type { Call, Reply } from '../route.ts'
import { bool, hostName } from './fields.ts'
import { refuseKeys, refuseParameters } from './keys.ts'
import { hostIdAt, schedulerView, serviceView } from './views/hypervisor.ts'

const binary = 'nova-compute'

export async function index({ db, query, version }: Call): Promise<Reply> {
  refuseParameters(query, ['host', 'binary'], version)
  const isAsked = (host: string, of: string): boolean =>
    host === (query.get('host') ?? host) && of === (query.get('binary') ?? of)
  const [hosts, schedulers] = await Promise.all([hostsWithUse(db), listSchedulers(db)])
  const services = [
    ...schedulers.filter(({ host }) => isAsked(host, 'nova-scheduler')).map((one) => schedulerView(one, version)),
    ...hosts.filter(({ name }) => isAsked(name, binary)).map((host) => serviceView(host, version)),
  ]
  return { status: 200, body: { services } }
}

const reason = z.string().min(1).max(255)
const namedBody = z.strictObject({
  host: hostName,
  binary: z.string().min(1).max(255),
  disabled_reason: reason.optional(),
  forced_down: bool.optional(),
})
type Named = z.output<typeof namedBody>

/** PUT /os-services/{action}, until 2.53: what it changes, and what the reply says beside the host. */
function wishOf(action: string, wanted: Named): { readonly wish: HostWish; readonly said: object } {
  const { disabled_reason: why, forced_down: isForcedDown } = wanted
  switch (action) {
    case 'enable':
      return { wish: { isEnabled: true, disabledReason: null }, said: { status: 'enabled' } }
    case 'disable':
      return { wish: { isEnabled: false, disabledAs: 'disabled', disabledReason: null }, said: { status: 'disabled' } }
    case 'disable-log-reason':
      if (why === undefined) throw new Invalid('Missing disabled reason field')
      return {
        wish: { isEnabled: false, disabledAs: 'disabled', disabledReason: why },
        said: { status: 'disabled', disabled_reason: why },
      }
    case 'force-down':
      if (isForcedDown === undefined) throw new Invalid('Missing forced_down field')
      return { wish: { isForcedDown }, said: { forced_down: isForcedDown } }
    default:
      throw new HttpFault(404, 'Unknown action')
  }
}

function refusal(named: string): Invalid {
  return new Invalid(`Updating a ${named} service is not supported. Only ${binary} services can be updated.`)
}

export async function act(call: Call): Promise<Reply> {
  const { action = '' } = call.params
  const wanted = parseBody(namedBody, call.body)
  refuseKeys(wanted, { forced_down: { since: '2.11' } }, { version: call.version, field: 'service' })
  if (action === 'force-down' && call.version < 11) throw new HttpFault(404, 'Unknown action')
  const { wish, said } = wishOf(action, wanted)
  if (wanted.binary !== binary) throw refusal(wanted.binary)
  await changeHost(call.db, wanted.host, wish)
  return { status: 200, body: { service: { host: wanted.host, binary, ...said } } }
}

interface Found {
  readonly host: HostUse | null
  readonly scheduler: SchedulerState | null
}

/** @throws Invalid when the id has not the form of the version; NotFound */
async function serviceOf({ db, version, params }: Call): Promise<Found> {
  const { id = '' } = params
  if (version >= 53 && !isUuid(id)) throw new Invalid(`Invalid uuid ${id}`)
  if (version < 53 && !/^-?\d+$/.test(id)) throw new Invalid(`Invalid input received: id must be an integer`)
  const isIt = (known: Pick<HostUse, 'id' | 'number'>): boolean => String(hostIdAt(known, version)) === id
  const host = (await hostsWithUse(db)).find(isIt) ?? null
  const scheduler = (await listSchedulers(db)).find(isIt) ?? null
  if (!host && !scheduler) throw new NotFound('Service', id)
  return { host, scheduler }
}

const body = z.strictObject({
  status: z.enum(['enabled', 'disabled']).optional(),
  disabled_reason: reason.optional(),
  forced_down: bool.optional(),
})

/** PUT /os-services/{id}, from 2.53 */
export async function update(call: Call): Promise<Reply> {
  const { status, disabled_reason: why, forced_down: isForcedDown } = parseBody(body, call.body)
  const { host } = await serviceOf(call)
  if (status === 'enabled' && why !== undefined)
    throw new Invalid("Specifying 'disabled_reason' with status 'enabled' is invalid.")
  if (status === undefined && isForcedDown === undefined)
    throw new Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
  if (!host) throw refusal('nova-scheduler')
  const wish: HostWish = {
    ...(status === undefined
      ? {}
      : { isEnabled: status === 'enabled', disabledAs: 'disabled', disabledReason: why ?? null }),
    ...(isForcedDown === undefined ? {} : { isForcedDown }),
  }
  await changeHost(call.db, host.name, wish)
  return { status: 200, body: { service: serviceView({ ...host, ...wish }, call.version) } }
}

export async function remove(call: Call): Promise<Reply> {
  const { host, scheduler } = await serviceOf(call)
  if (host)
    await call.db.transaction(async (trx) => {
      await deleteHost(trx, host.name)
      await revokeAgentRole(trx, host.name)
    })
  if (scheduler) await forgetScheduler(call.db, scheduler.id)
  return { status: 204 }
}
