/** POST /v2/images: a row that waits for its bytes. */
import { z } from 'zod'
import { Conflict } from '../../core/errors.ts'
import { findImage } from '../../db/images.ts'
import { insertImage } from '../../db/new-images.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { checkProperty, checkVisibility, columnsOf, isSettable, property, settable } from './fields.ts'
import { importMethod } from './file.ts'
import { imageView } from './view.ts'

/** Everything that is no field of Glance's is a property, and text. */
const body = z
  .object({ ...settable, id: z.uuid(), owner: z.string() })
  .partial()
  .catchall(property)

export async function create(call: Call): Promise<Reply> {
  const { id, owner, ...wanted } = parseBody(body, call.body)
  const projectId = projectOf(call.caller)
  if (owner !== undefined && owner !== projectId && !call.caller.isAdmin) checkProperty('owner')
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(wanted)) {
    if (isSettable(name)) continue
    checkProperty(name)
    properties[name] = property.parse(value)
  }
  checkVisibility(call, wanted)
  if (id !== undefined && (await findImage(call.db, id))) throw new Conflict(`Image ID ${id} already exists!`)
  const image = await insertImage(call.db, {
    visibility: 'shared',
    ...columnsOf(wanted),
    properties,
    projectId: owner ?? projectId,
    ...(id === undefined ? {} : { id }),
  })
  const headers = {
    Location: `${call.root}/image/v2/images/${image.id}`,
    'OpenStack-image-import-methods': importMethod,
  }
  return { status: 201, body: imageView(image), headers }
}
