import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import { withEvent } from '../db/action-events.ts'
import { giveUpMove, otherHostOf } from '../db/moves.ts'
import { findServer } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { giveBack } from '../ipam/give-back.ts'
import { enqueue } from '../jobs/enqueue.ts'
import type { Host } from './host.ts'
import { forgetArrived } from './moves/delta.ts'
import { removeSpecFile } from './spec-file.ts'

/** Takes down the guest and its wires; what is missing counts as taken down. Rows are not touched. */
export async function demolish(
  { config, driver, wires }: Host,
  serverId: string,
  portIds: readonly string[],
): Promise<void> {
  await driver.remove(serverId)
  reach(config, 'agent.delete.guest')
  for (const portId of portIds) await wires.unplug(portId)
  reach(config, 'agent.delete.wires')
  await wires.removeNamespace(serverId)
  reach(config, 'agent.delete.namespace')
  await forgetArrived(config.home, serverId)
  await removeSpecFile(config.home, serverId)
  reach(config, 'agent.delete.spec')
}

/** Deletes a server: first all that stands on the host, then, in one transaction, its addresses, ports, claim and row. A host that it moves from or to, if any, learns of it at once. */
export async function remove(host: Host, payload: JobPayload<'server.delete'>): Promise<void> {
  const { config, db, log } = host
  const server = await findServer(db, payload.serverId)
  if (server?.taskState !== 'deleting') return
  reach(config, 'agent.delete.begun')
  await withEvent(db, payload, { event: 'compute_terminate_instance', host: host.name }, async () => {
    const vifs = await vifsOf(db, server.id)
    await demolish(
      host,
      server.id,
      vifs.map((vif) => vif.portId),
    )
    await db.transaction(async (trx) => {
      const other = await otherHostOf(trx, server.id, host.name)
      await giveUpMove(trx, server)
      await giveBack(trx, server.id)
      if (other !== null) await enqueue(trx, 'server.leave', payload, other)
    })
    reach(config, 'agent.delete.committed')
  })
  log.info({ serverId: server.id, requestId: payload.requestId }, 'guest deleted')
}
