/** Ports that come, change and go while the guest is there: it is not restarted, and finds them again after its next start. */
import type { JobPayload } from '../core/jobs.ts'
import { withEvent } from '../db/action-events.ts'
import { findServer } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { detachPort } from '../ipam/detach.ts'
import type { Host } from './host.ts'
import { proveAddresses } from './prove.ts'
import { writeSpecFile } from './spec-file.ts'
import { ensureGateways, plugAll } from './wire.ts'

/** States in which a server has no namespace on its host, or a job of its own makes it. */
const withoutWires: readonly string[] = ['building', 'shelved_offloaded', 'deleted']

/**
 * Every port of the server is plugged, with its addresses; those that a port lost are gone from its device. What the guest's root has
 * put there beside them stays.
 */
export async function wire(host: Host, payload: JobPayload<'server.wire'>): Promise<void> {
  const { db, wires, config, log, name } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== name || server.deletedAt !== null || withoutWires.includes(server.vmState)) return
  await withEvent(db, payload, { event: 'compute_attach_interface', host: name }, async () => {
    await proveAddresses(host, server)
    const vifs = await vifsOf(db, server.id)
    await ensureGateways(host)
    const namespace = await wires.ensureNamespace(server.id)
    for (const vif of vifs) {
      const gone = payload.gone.filter(
        ({ portId, address }) => portId === vif.portId && !vif.addresses.some((kept) => kept.address === address),
      )
      if (gone.length > 0) await wires.takeAddresses(vif, gone, namespace)
    }
    await plugAll(host, server.id, vifs)
    await writeSpecFile(config.home, server, vifs)
  })
  log.info({ serverId: server.id, requestId: payload.requestId }, 'wires of a guest changed')
}

/** The device is gone from the guest; then the port is the server's no more. A job that comes twice does nothing. */
export async function detach(host: Host, payload: JobPayload<'server.detach'>): Promise<void> {
  const { db, wires, config, log, name } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== name || server.deletedAt !== null) return
  await withEvent(db, payload, { event: 'compute_detach_interface', host: name }, async () => {
    await wires.unplug(payload.portId)
    await db.transaction((trx) => detachPort(trx, { serverId: server.id, portId: payload.portId }))
    await writeSpecFile(config.home, server, await vifsOf(db, server.id))
  })
  log.info({ serverId: server.id, portId: payload.portId, requestId: payload.requestId }, 'port detached')
}
