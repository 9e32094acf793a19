/** resize, confirmResize, revertResize: another flavor, on the same host or another; the old one is kept until the user has decided. */
import { z } from 'zod'
import { Invalid, NotFound, NoValidHost } from '../../../core/errors.ts'
import type { ServerFlavor } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { hostNames } from '../../../db/host-names.ts'
import { hostStatuses } from '../../../db/host-status.ts'
import { getImage } from '../../../db/images.ts'
import { recordMove } from '../../../db/moves.ts'
import { withinQuota } from '../../../db/quotas.ts'
import { claimResize, recordResize } from '../../../db/resize.ts'
import { advance, updateServer } from '../../../db/servers.ts'
import type { FlavorRow } from '../../../db/tables.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import type { Call } from '../../route.ts'
import { viewerOf } from '../../caller.ts'
import { usableFlavor } from '../flavors.ts'
import { checkFit, idIn, snapshotOf } from '../servers/boot-source.ts'
import { begun, change, type Begun } from '../servers/change.ts'
import { diskConfig } from '../servers/create-body.ts'
import type { Action } from './action.ts'

const body = z.strictObject({
  resize: z.strictObject({
    flavorRef: z.union([z.string().min(1), z.number().int().transform(String)]),
    'OS-DCF:diskConfig': diskConfig.optional(),
  }),
})

/** An unknown flavor is bad input here: it is not what the path names. */
async function flavorOf(call: Pick<Call, 'db' | 'caller'>, reference: string): Promise<FlavorRow> {
  try {
    return await usableFlavor(call, idIn(reference))
  } catch (error) {
    if (error instanceof NotFound) throw new Invalid(error.message, { cause: error })
    throw error
  }
}

/** An image that is gone, or that the caller sees no more, asks for nothing. */
async function checkImage(trx: Transaction, { caller }: Call, server: Begun, flavor: FlavorRow): Promise<void> {
  if (server.imageId === null) return
  try {
    checkFit(flavor, await getImage(trx, server.imageId, viewerOf(caller)))
  } catch (error) {
    if (!(error instanceof NotFound)) throw error
  }
}

function checkSize(old: ServerFlavor, wanted: FlavorRow): void {
  if (wanted.id === old.id) throw new Invalid('When resizing, instances must change flavor!')
  if (wanted.diskGiB === 0 && old.diskGiB !== 0) throw new Invalid('Resize to zero disk flavor is not allowed.')
  if (wanted.diskGiB < old.diskGiB)
    throw new Invalid(`Unable to resize disk down: ${old.diskGiB} GiB to ${wanted.diskGiB} GiB.`)
}

async function withinProject(
  trx: Transaction,
  { projectId, userId, flavor: old }: Begun,
  wanted: ServerFlavor,
): Promise<void> {
  const cores = Math.max(0, wanted.vcpus - old.vcpus)
  const ram = Math.max(0, wanted.memoryMiB - old.memoryMiB)
  if (cores > 0 || ram > 0) await withinQuota(trx, projectId, { instances: 0, cores, ram }, userId)
}

/**
 * In place, while the guest runs, where its host has room and takes servers; else the scheduler finds it another one.
 *
 * @throws NoValidHost when there is no other host
 */
async function staysHere(trx: Transaction, server: Begun, wanted: ServerFlavor): Promise<boolean> {
  const hosts = await hostNames(trx)
  const isAlone = hosts.every((name) => name === server.host)
  if (!isAlone && (await hostStatuses(trx, [server.host])).get(server.host) === 'MAINTENANCE') return false
  try {
    await claimResize(trx, server, wanted)
    return true
  } catch (error) {
    if (isAlone || !(error instanceof NoValidHost)) throw error
    return false
  }
}

export const resize: Action = async (call, server) => {
  const { flavorRef, 'OS-DCF:diskConfig': disk } = parseBody(body, call.body).resize
  const { caller, requestId } = call
  await begun(call, server, { name: 'server.resize', action: 'resize' }, async (trx, row) => {
    const found = await flavorOf({ db: trx, caller }, flavorRef)
    checkSize(row.flavor, found)
    await checkImage(trx, call, row, found)
    const wanted = snapshotOf(found)
    if (disk !== undefined) await updateServer(trx, row.id, { diskConfig: disk })
    const payload = { serverId: row.id, requestId }
    if (await staysHere(trx, row, wanted)) {
      await recordResize(trx, row, { old: row.flavor, new: wanted, userId: caller.userId })
      await enqueue(trx, 'server.resize', payload, row.host)
    } else {
      await recordMove(trx, row, { type: 'resize', wish: null, userId: caller.userId, newFlavor: wanted })
      await advance(trx, row.id, 'resize_prep', 'resize_migrating')
      await enqueue(trx, 'schedule.move', payload)
    }
    // Last: it counts what now stands.
    await withinProject(trx, row, wanted)
  })
  return { status: 202 }
}

export const confirmResize: Action = async (call, server) => {
  await change(call, server, 'server.confirm-resize', 'confirmResize')
  return { status: 204 }
}

export const revertResize: Action = async (call, server) => {
  await change(call, server, 'server.revert-resize', 'revertResize')
  return { status: 202 }
}
