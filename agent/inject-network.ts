import type { JobPayload } from '../core/jobs.ts'
import { withEvent } from '../db/action-events.ts'
import { findServer } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import type { Host } from './host.ts'
import { ensureGateways, plugAll } from './wire.ts'

/** The server's wires are made anew as its ports say, whether they stood or not; the guest runs on. */
export async function injectNetwork(host: Host, payload: JobPayload<'server.inject-network'>): Promise<void> {
  const { db, name, log } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== name || server.deletedAt !== null) return
  await withEvent(db, payload, { event: 'compute_inject_network_info', host: name }, async () => {
    await ensureGateways(host)
    await plugAll(host, server.id, await vifsOf(db, server.id))
  })
  log.info({ serverId: server.id, requestId: payload.requestId }, 'wires of a guest made anew')
}
