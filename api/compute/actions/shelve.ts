import { z } from 'zod'
import { Invalid } from '../../../core/errors.ts'
import { updateServer } from '../../../db/servers.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { beginChange, change, refuseIfLocked } from '../servers/change.ts'
import type { Action } from './action.ts'
import { addSnapshot } from './new-image.ts'

const longestName = 255
const suffix = '-shelved'

export const shelve: Action = async (call, server) => {
  refuseIfLocked(call, server)
  await call.db.transaction(async (trx) => {
    const { host } = await beginChange(trx, call, server, { name: 'server.shelve', action: 'shelve' })
    const name = `${server.name.slice(0, longestName - suffix.length)}${suffix}`
    const image = await addSnapshot(trx, call, server, { name, metadata: {}, properties: {} })
    await updateServer(trx, server.id, { shelvedImageId: image.id })
    const payload = { serverId: server.id, requestId: call.requestId, imageId: image.id }
    await enqueue(trx, 'server.shelve', payload, host ?? undefined)
  })
  return { status: 202 }
}

export const shelveOffload: Action = async (call, server) => {
  await change(call, server, 'server.shelve-offload', 'shelveOffload')
  return { status: 202 }
}

const placed = z
  .strictObject({
    availability_zone: z.string().min(1).max(255).nullable().optional(),
    host: z.string().min(1).max(255).optional(),
  })
  .nullable()
const body = z.strictObject({ unshelve: placed })

/** Before 2.77 Nova looks at nothing that comes with it. */
export const unshelve: Action = async (call, server) => {
  const wanted = call.version >= 77 ? parseBody(body, call.body).unshelve : null
  if (wanted && Object.keys(wanted).length === 0)
    throw new Invalid(
      'Invalid input for field/attribute unshelve. Value: {}. {} is not valid under any of the given schemas',
    )
  if (wanted?.availability_zone || wanted?.host !== undefined)
    throw new Invalid('To name the zone or the host of a server to unshelve is not supported.')
  await change(call, server, 'server.unshelve', 'unshelve')
  return { status: 202 }
}
