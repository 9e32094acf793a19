/** /os-quota-class-sets: the class `default` holds what projects may take that have no limits of their own. */
import { z } from 'zod'
import { quotasOfClass, setClassQuota, type Resource } from '../../db/quotas.ts'
import { parseBody } from '../body.ts'
import type { Microversion } from '../microversion.ts'
import type { Call, Reply } from '../route.ts'
import { refuseKeys } from './keys.ts'
import { limitFields, limitSpans, quotaView, resourcesAt } from './quotas.ts'

const groupResources: readonly Resource[] = ['server_groups', 'server_group_members']
const body = z.strictObject({ quota_class_set: z.strictObject(limitFields) })

/** Server groups came at 2.50, and the network's own limits went then. */
function classResources(version: Microversion): readonly Resource[] {
  if (version >= 50) return resourcesAt(version)
  return resourcesAt(1).filter((resource) => !groupResources.includes(resource))
}

export async function show({ db, params, version }: Call): Promise<Reply> {
  const { name = '' } = params
  const view = quotaView(await quotasOfClass(db, name), classResources(version))
  return { status: 200, body: { quota_class_set: { id: name, ...view } } }
}

export async function update(call: Call): Promise<Reply> {
  const { db, version } = call
  const { name = '' } = call.params
  const { quota_class_set: limits } = parseBody(body, call.body)
  refuseKeys(
    limits,
    { ...limitSpans, floating_ips: { until: '2.50' }, fixed_ips: { until: '2.50' } },
    { version, field: 'quota_class_set' },
  )
  await db.transaction(async (trx) => {
    for (const resource of resourcesAt(1)) {
      const value = limits[resource]
      if (value !== undefined) await setClassQuota(trx, name, resource, value)
    }
  })
  return { status: 200, body: { quota_class_set: quotaView(await quotasOfClass(db, name), classResources(version)) } }
}
