import { CloudError, GuestFailed, messageOf, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { JobPayload, PersonalFile } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import { powerStates } from '../core/states.ts'
import { Undo } from '../core/undo.ts'
import { withEvent } from '../db/action-events.ts'
import { sendBack } from '../db/placement.ts'
import { fail, findServer, finish } from '../db/servers.ts'
import { vifsOf } from '../db/vifs.ts'
import { enqueue } from '../jobs/enqueue.ts'
import type { GuestSpec } from '../driver/driver.ts'
import { chooseCpus } from './dedicated-cpus.ts'
import { guestSpec, type GuestParts } from './guest-spec.ts'
import { holdDisk } from './disk-speed.ts'
import type { Host } from './host.ts'
import { isWorthAnother } from './passing.ts'
import { proveAddresses } from './prove.ts'
import { removeSpecFile, writeSpecFile } from './spec-file.ts'
import { ensureGateways, plugAll } from './wire.ts'

/** Hosts that a server is tried on before its build counts as failed: Nova's max_attempts. */
const attempts = 3

/** How a guest differs from the one that the row describes. */
export interface GuestChange {
  /** no files of a first boot: the image is the machine itself */
  readonly isSeeded?: false
  /** where it finds the file system of the guest that was set aside */
  readonly asideAt?: string
  /** files of the user's own, beside those of a first boot */
  readonly personality?: readonly PersonalFile[] | undefined
  /** puts the machine's own files into the container before it starts */
  readonly fill?: () => Promise<void>
}

/** Runs one step; what it throws says which step it was. */
export async function step<T>(serverId: string, name: string, run: Promise<T>): Promise<T> {
  try {
    return await run
  } catch (error) {
    if (error instanceof CloudError && (error.kind === 'invalid' || error instanceof Superseded)) throw error
    throw new GuestFailed(serverId, name, messageOf(error), { cause: error })
  }
}

function fileOf({ path, contents }: PersonalFile): GuestSpec['files'][number] {
  return { path, mode: 0o644, content: Buffer.from(contents, 'base64'), owner: 'root' }
}

/** The container, not started: it needs the image and the paths of the namespaces, not yet what is in them. */
export async function prepare(
  { config, driver, enforcesDisk, turns }: Host,
  { server, vifs, namespace, adminPassword }: Pick<GuestParts, 'server' | 'vifs' | 'namespace' | 'adminPassword'>,
  { isSeeded, asideAt, personality = [] }: GuestChange = {},
): Promise<void> {
  const pulling = driver.ensureImage(server.imageReference, AbortSignal.timeout(config.bootTimeoutSeconds * 1000))
  const image = await step(server.id, 'image', pulling)
  reach(config, 'agent.create.image')
  const make = async (cpuset: string | null): Promise<void> => {
    const spec = guestSpec({ server, vifs, image, namespace, adminPassword, cpuset, config, enforcesDisk })
    const files = isSeeded === false ? [] : [...spec.files, ...personality.map(fileOf)]
    await step(server.id, 'container', driver.create({ ...spec, files, ...(asideAt === undefined ? {} : { asideAt }) }))
  }
  const { extraSpecs, vcpus } = server.flavor
  if (extraSpecs['hw:cpu_policy'] !== 'dedicated') await make(null)
  else
    await turns.at('dedicated cpus', async () =>
      make(await step(server.id, 'cpus', chooseCpus(driver, server.id, vcpus))),
    )
  reach(config, 'agent.create.container')
  await writeSpecFile(config.home, server, vifs)
  reach(config, 'agent.create.spec')
}

/** Namespace; then wires and container side by side; then init, which runs when this returns unless it is not to be started. */
export async function build(
  host: Host,
  server: Server,
  undo: Undo,
  {
    adminPassword,
    isStarted = true,
    ...changed
  }: GuestChange & { readonly adminPassword: string | null; readonly isStarted?: boolean },
): Promise<void> {
  const { config, db, driver, wires, turns } = host
  await step(server.id, 'addresses', proveAddresses(host, server))
  const vifs = await vifsOf(db, server.id)
  undo.add('namespace', () => wires.removeNamespace(server.id))
  const namespace = await step(server.id, 'namespace', wires.ensureNamespace(server.id))
  reach(config, 'agent.create.namespace')
  for (const vif of vifs) undo.add(`port ${vif.portId}`, () => wires.unplug(vif.portId))
  undo.add('guest', () => driver.remove(server.id))
  undo.add('spec file', () => removeSpecFile(config.home, server.id))
  const plugging = ensureGateways(host).then(async () => {
    await plugAll(host, server.id, vifs)
    reach(config, 'agent.create.wires')
  })
  // Both must have settled before anything is undone.
  const [wired, prepared] = await Promise.allSettled([
    step(server.id, 'wires', plugging),
    prepare(host, { server, vifs, namespace, adminPassword }, changed).then(changed.fill),
  ])
  if (wired.status === 'rejected') throw wired.reason
  if (prepared.status === 'rejected') throw prepared.reason
  if (isStarted) {
    await turns.starting(() => step(server.id, 'start', driver.start(server.id)))
    await step(server.id, 'disk speed', holdDisk(host, server))
  }
  reach(config, 'agent.create.start')
}

/** A host's failure goes back to the scheduler, with its reason, until hosts or attempts run out; bad input ends it at once. */
async function giveUp(
  { name, db }: Host,
  server: Server,
  payload: JobPayload<'server.create'>,
  error: unknown,
): Promise<void> {
  const reason = messageOf(error)
  const tried = Object.keys(server.failedHosts).length + 1
  const isOurs = error instanceof CloudError && error.kind === 'invalid'
  await db.transaction(async (trx) => {
    if (isOurs || tried >= attempts) {
      await fail(trx, server.id, { code: isOurs ? 400 : 500, message: reason, details: '', host: name })
      return
    }
    await sendBack(trx, server.id, name, reason)
    await enqueue(trx, 'schedule', payload)
  })
}

/** Makes the guest of a new server. A job that comes twice or late does nothing; what a crash left is taken up. */
export async function create(host: Host, payload: JobPayload<'server.create'>): Promise<void> {
  const { config, db, log } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== host.name || server.vmState !== 'building' || server.taskState !== 'spawning') return
  reach(config, 'agent.create.begun')
  const undo = new Undo()
  try {
    await withEvent(db, payload, { event: 'compute__do_build_and_run_instance', host: host.name }, async () => {
      await build(host, server, undo, payload)
      await finish(db, server.id, 'active', 'spawning', { powerState: powerStates.running, launched: true })
      reach(config, 'agent.create.finished')
    })
    undo.commit()
    log.info({ serverId: server.id, requestId: payload.requestId }, 'guest created')
  } catch (error) {
    for (const left of await undo.rollback())
      log.error({ serverId: server.id, left: left.what, err: left.error }, 'not undone')
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, requestId: payload.requestId, err: error }, 'guest not created')
    await giveUp(host, server, payload, error).catch((superseded: unknown) => {
      if (!(superseded instanceof Superseded)) throw superseded
    })
  }
}
