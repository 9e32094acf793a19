/** The bytes of an image: they go through, and are never held. */
import { join } from 'node:path'
import { z } from 'zod'
import { Conflict, Forbidden, Invalid } from '../../core/errors.ts'
import { activateImage, importStaged, moveImage, stageImage } from '../../db/new-images.ts'
import { whileWriting } from '../../db/registry-writers.ts'
import { archiveOf, archiveSize } from '../../registry/archive.ts'
import { storeFile, type StoredFile } from '../../registry/file.ts'
import { parseBody } from '../body.ts'
import { HttpFault } from '../faults.ts'
import type { Call, Reply } from '../route.ts'
import { imageOf, ownImageOf } from './find.ts'

/** Bytes for an image that has none; whatever goes wrong, it has none again. */
async function receive(
  call: Call,
  during: 'saving' | 'uploading',
  keep: (id: string, stored: StoredFile) => Promise<boolean>,
): Promise<Reply> {
  if (!/^application\/octet-stream\b/.test(call.header('content-type') ?? ''))
    throw new HttpFault(415, 'The bytes of an image are application/octet-stream.')
  const { db, config, registry, bytes } = call
  const { id, status } = await ownImageOf(call, 'modify')
  if (!(await moveImage(db, id, ['queued'], during)))
    throw new Conflict(`Image status transition from ${status} to ${during} is not allowed.`)
  try {
    const repository = registry.repository(`images/${id}`)
    await whileWriting(db, async () => {
      const stored = await storeFile(repository, bytes, join(config.home, 'run', 'upload'))
      if (!(await keep(id, stored))) throw new HttpFault(410, `Image ${id} was deleted meanwhile.`)
    })
  } catch (error) {
    await moveImage(db, id, [during], 'queued')
    throw error
  }
  return { status: 204 }
}

/**
 * PUT /v2/images/{id}/file. The root file system of a machine, as a tar archive, and what `docker save` or skopeo write, boot; anything
 * else is kept as it came.
 */
export async function upload(call: Call): Promise<Reply> {
  return await receive(call, 'saving', (id, stored) => activateImage(call.db, id, stored))
}

/** PUT /v2/images/{id}/stage: as an upload, but nobody sees the bytes before they are imported. */
export async function stage(call: Call): Promise<Reply> {
  return await receive(call, 'uploading', (id, stored) => stageImage(call.db, id, stored))
}

export const importMethod = 'glance-direct'
const importBody = z.looseObject({ method: z.looseObject({ name: z.string() }) })

/** POST /v2/images/{id}/import: what was staged is the image. */
export async function importImage(call: Call): Promise<Reply> {
  const { name } = parseBody(importBody, call.body).method
  if (name !== importMethod) throw new Invalid(`Unknown import method name '${name}': ${importMethod} is known.`)
  const { id, status } = await ownImageOf(call, 'modify')
  if (!(await importStaged(call.db, id)))
    throw new Conflict(
      `Only images with status 'uploading' can be imported, after they were staged: ${id} is ${status}.`,
    )
  return { status: 202 }
}

const type = { 'Content-Type': 'application/octet-stream' } as const

/** GET /v2/images/{id}/file: what was uploaded; an image that was not is made into an archive that can be. */
export async function download(call: Call): Promise<Reply> {
  const { reference, fileDigest, sizeBytes, checksum, status } = await imageOf(call)
  if (status === 'deactivated' && !call.caller.isAdmin)
    throw new Forbidden('The requested image has been deactivated. Image data download is forbidden.')
  if (reference === null || status === 'uploading') return { status: 204 }
  if (fileDigest === null) {
    const headers = { ...type, 'Content-Length': String(await archiveSize(call.registry, reference)) }
    return { status: 200, headers, body: await archiveOf(call.registry, reference) }
  }
  const headers = { ...type, 'Content-Length': String(sizeBytes), ...(checksum ? { 'Content-MD5': checksum } : {}) }
  return { status: 200, headers, body: await call.registry.of(reference).repository.blob(fileDigest) }
}
