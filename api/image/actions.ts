/** What is done to an image beside its fields: it ends, it rests, it is tagged. */
import { Conflict, Forbidden, Invalid } from '../../core/errors.ts'
import { lockImage } from '../../db/images.ts'
import { deleteImage, moveImage, updateImage } from '../../db/new-images.ts'
import type { ImageRow } from '../../db/tables.ts'
import { HttpFault } from '../faults.ts'
import type { Call, Reply } from '../route.ts'
import { tagField } from './fields.ts'
import { imageOf, ownImageOf } from './find.ts'

/** Its bytes stay while servers are made of it. @throws NotFound, Forbidden */
export async function removeImage(call: Call): Promise<void> {
  const { id, isProtected } = await ownImageOf(call, 'delete')
  if (isProtected) throw new Forbidden(`Image ${id} is protected and cannot be deleted.`)
  await deleteImage(call.db, id)
}

export async function remove(call: Call): Promise<Reply> {
  await removeImage(call)
  return { status: 204 }
}

async function move(call: Call, from: ImageRow['status'], to: ImageRow['status']): Promise<Reply> {
  const { id, status } = await imageOf(call)
  if (status !== to && !(await moveImage(call.db, id, [from], to)))
    throw new Conflict(`Not allowed to move image ${id} from status '${status}' to '${to}'.`)
  return { status: 204 }
}

/** Nobody but administrators reads its bytes then. */
export async function deactivate(call: Call): Promise<Reply> {
  return await move(call, 'active', 'deactivated')
}

export async function reactivate(call: Call): Promise<Reply> {
  return await move(call, 'deactivated', 'active')
}

async function retag(call: Call, change: (tags: readonly string[]) => readonly string[]): Promise<Reply> {
  const { id } = await ownImageOf(call, 'modify')
  await call.db.transaction(async (trx) => updateImage(trx, id, { tags: change((await lockImage(trx, id)).tags) }))
  return { status: 204 }
}

export async function addTag(call: Call): Promise<Reply> {
  const tag = tagField.min(1).safeParse(call.params.tag)
  if (!tag.success) throw new Invalid('A tag has 1 to 255 signs.')
  return await retag(call, (tags) => [...new Set([...tags, tag.data])])
}

export async function removeTag(call: Call): Promise<Reply> {
  const { tag = '' } = call.params
  return await retag(call, (tags) => {
    if (!tags.includes(tag)) throw new HttpFault(404, `Image has no tag ${tag}.`)
    return tags.filter((one) => one !== tag)
  })
}
