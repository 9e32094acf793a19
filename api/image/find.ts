/** The image that a path names. */
import { Forbidden, NotFound } from '../../core/errors.ts'
import { getImage } from '../../db/images.ts'
import type { ImageRow } from '../../db/tables.ts'
import { viewerOf } from '../caller.ts'
import type { Call } from '../route.ts'

/** Glance's own sentence. */
class NoImage extends NotFound {
  constructor(id: string, options: ErrorOptions) {
    super('Image', id, options)
    this.message = `No image found with ID ${id}`
  }
}

/** @throws NotFound when there is none that the caller may see */
export async function imageOf({ db, caller, params: { id = '' } }: Call): Promise<ImageRow> {
  try {
    return await getImage(db, id, viewerOf(caller))
  } catch (error) {
    throw error instanceof NotFound ? new NoImage(id, { cause: error }) : error
  }
}

/** @throws NotFound; Forbidden when it is another project's */
export async function ownImageOf(call: Call, verb: string): Promise<ImageRow> {
  const image = await imageOf(call)
  if (!call.caller.isAdmin && image.projectId !== call.caller.projectId)
    throw new Forbidden(`You are not permitted to ${verb} this image.`)
  return image
}
