/** A deleted server that can still be restored: its guest is off, with all its files. */
import type { JobPayload } from '../core/jobs.ts'
import { carryOut } from './change.ts'
import type { Host } from './host.ts'
import { startGuest } from './power.ts'

export async function softDelete(host: Host, payload: JobPayload<'server.soft-delete'>): Promise<void> {
  const { driver, config } = host
  await carryOut(host, 'server.soft-delete', payload, ({ id }) => driver.stop(id, config.stopGraceSeconds), {
    outcome: { softDeleted: true },
  })
}

export async function restore(host: Host, payload: JobPayload<'server.restore'>): Promise<void> {
  await carryOut(host, 'server.restore', payload, ({ id }) => startGuest(host, id), {
    onFailure: 'unchanged',
    outcome: { softDeleted: false },
  })
}
