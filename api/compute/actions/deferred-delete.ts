/** forceDelete: deleted at once, whatever the settings say. restore: what was softly deleted runs again. */
import { withinQuota } from '../../../db/quotas.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { begun, change } from '../servers/change.ts'
import type { Action } from './action.ts'

export const forceDelete: Action = async (call, server) => {
  await change(call, server, 'server.delete', 'delete')
  return { status: 202 }
}

export const restore: Action = async (call, server) => {
  const { requestId } = call
  await begun(call, server, { name: 'server.restore', action: 'restore' }, async (trx, row) => {
    const { vcpus, memoryMiB } = row.flavor
    await withinQuota(trx, row.projectId, { instances: 1, cores: vcpus, ram: memoryMiB }, row.userId)
    await enqueue(trx, 'server.restore', { serverId: row.id, requestId }, row.host)
  })
  return { status: 202 }
}
