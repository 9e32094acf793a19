/** Pause and suspend: the guest's processes stand still, in memory; a suspended guest gives up what memory it can. */
import type { JobPayload } from '../core/jobs.ts'
import { carryOut } from './change.ts'
import type { Host } from './host.ts'

export async function pause(host: Host, payload: JobPayload<'server.pause'>): Promise<void> {
  await carryOut(host, 'server.pause', payload, ({ id }) => host.driver.pause(id), { onFailure: 'unchanged' })
}

export async function unpause(host: Host, payload: JobPayload<'server.unpause'>): Promise<void> {
  await carryOut(host, 'server.unpause', payload, ({ id }) => host.driver.unpause(id), { onFailure: 'unchanged' })
}

export async function suspend(host: Host, payload: JobPayload<'server.suspend'>): Promise<void> {
  await carryOut(
    host,
    'server.suspend',
    payload,
    async ({ id }) => {
      const freedMiB = await host.driver.suspend(id)
      host.log.info({ serverId: id, freedMiB }, 'memory of a suspended guest given up')
    },
    { onFailure: 'unchanged' },
  )
}

export async function resume(host: Host, payload: JobPayload<'server.resume'>): Promise<void> {
  await carryOut(host, 'server.resume', payload, ({ id }) => host.driver.resume(id), { onFailure: 'unchanged' })
}
