import { updateServer } from '../../../db/servers.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
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
