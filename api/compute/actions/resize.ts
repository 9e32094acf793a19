/** resize, confirmResize, revertResize: another flavor on the same host; the old one is kept until the user has decided. */
import { z } from 'zod'
import { Invalid, NotFound } from '../../../core/errors.ts'
import type { ServerFlavor } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { getImage } from '../../../db/images.ts'
import { withinQuota } from '../../../db/quotas.ts'
import { claimResize, recordResize } from '../../../db/resize.ts'
import { updateServer } from '../../../db/servers.ts'
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

export const resize: Action = async (call, server) => {
  const { flavorRef, 'OS-DCF:diskConfig': disk } = parseBody(body, call.body).resize
  const { caller, requestId } = call
  await begun(call, server, { name: 'server.resize', action: 'resize' }, async (trx, row) => {
    const found = await flavorOf({ db: trx, caller }, flavorRef)
    checkSize(row.flavor, found)
    await checkImage(trx, call, row, found)
    const wanted = snapshotOf(found)
    await recordResize(trx, row, { old: row.flavor, new: wanted, userId: caller.userId })
    await withinProject(trx, row, wanted)
    await claimResize(trx, row, wanted)
    if (disk !== undefined) await updateServer(trx, row.id, { diskConfig: disk })
    await enqueue(trx, 'server.resize', { serverId: row.id, requestId }, row.host)
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
