/** One guest in the place of another of the same server, with the same wires: what rebuild and rescue have in common. */
import { CloudError, GuestFailed, messageOf, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { Server } from '../core/server.ts'
import { powerStates } from '../core/states.ts'
import { withEvent } from '../db/action-events.ts'
import { fail, findServer, observe } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { prepare, step, type GuestChange } from './create.ts'
import type { Host } from './host.ts'
import { isWorthAnother } from './passing.ts'
import { startGuest } from './power.ts'

interface Request {
  readonly serverId: string
  readonly requestId: string
}

/** The guest that comes into the place of the present one. */
export interface Replacement extends GuestChange {
  /** its image, by digest */
  readonly reference: string
  readonly adminPassword: string | null
  readonly isStarted: boolean
}

/** The present guest is shut down and stands aside; nothing is lost until it is dropped. */
export async function replaceGuest(host: Host, server: Server, wanted: Replacement): Promise<void> {
  const { config, db, driver, wires } = host
  const { reference, adminPassword, isStarted, ...changed } = wanted
  // First what fails most often, while the old guest still runs.
  await step(server.id, 'image', driver.ensureImage(reference, AbortSignal.timeout(config.bootTimeoutSeconds * 1000)))
  await step(server.id, 'stop', driver.stop(server.id, config.stopGraceSeconds))
  await step(server.id, 'set aside', driver.setAside(server.id))
  reach(config, 'agent.replace.aside')
  const vifs = await vifsOf(db, server.id)
  const namespace = await step(server.id, 'namespace', wires.ensureNamespace(server.id))
  const parts = { server: { ...server, imageReference: reference }, vifs, namespace, adminPassword }
  await prepare(host, parts, changed)
  reach(config, 'agent.replace.prepared')
  if (isStarted) await step(server.id, 'start', startGuest(host, server.id))
}

/** A change of a guest that can be taken back. */
export interface Attempt {
  /** such as 'rescue' */
  readonly verb: string
  readonly work: () => Promise<void>
  /** puts things back where they were; runs before the server is in error */
  readonly undo: () => Promise<void>
}

/** A failure leaves the server in error, with a fault that names the step, and its disk where it was; one that passes is tried again. */
export async function attempt(host: Host, payload: Request, { verb, work, undo }: Attempt): Promise<void> {
  const { config, db, log, name } = host
  const { serverId, requestId } = payload
  reach(config, 'agent.change.begun')
  try {
    await withEvent(db, payload, { event: `compute_${verb}_instance`, host: name }, work)
    reach(config, 'agent.change.finished')
    log.info({ serverId, requestId, change: verb }, 'server changed')
  } catch (error) {
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, serverId, error)) throw error
    const failed = error instanceof CloudError ? error : new GuestFailed(serverId, verb, messageOf(error))
    log.error({ serverId, requestId, err: error }, 'server not changed')
    await undo().catch((left: unknown) => log.error({ serverId, requestId, err: left }, 'not undone'))
    const code = failed.kind === 'invalid' ? 400 : 500
    await db.transaction((trx) => fail(trx, serverId, { code, message: failed.message, details: '', host: name }))
    await seePower(host, serverId)
  }
}

async function seePower({ db, driver }: Host, serverId: string): Promise<void> {
  const server = await findServer(db, serverId)
  if (server?.vmState !== 'error') return
  const isRunning = (await driver.inspect(serverId))?.state === 'running'
  await observe(db, serverId, {
    vmState: 'error',
    powerState: isRunning ? powerStates.running : powerStates.shutdown,
  })
}
