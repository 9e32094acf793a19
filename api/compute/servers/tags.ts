/** /servers/{id}/tags. Source: nova/api/openstack/compute/server_tags.py. */
import { z } from 'zod'
import { Invalid, NotFound } from '../../../core/errors.ts'
import { changeTags } from '../../../db/server-tags.ts'
import { parseBody } from '../../body.ts'
import type { Call, Reply } from '../../route.ts'
import { mostTags, serverTag, serverTags } from '../fields.ts'
import { refuseIfLocked } from './change.ts'
import { serverOf } from './find.ts'

class NoTag extends NotFound {
  constructor(id: string, tag: string) {
    super('Tag', tag)
    this.message = `Server ${id} has no tag '${tag}'`
  }
}

async function change(
  call: Call,
  make: (present: readonly string[], id: string) => readonly string[],
): ReturnType<typeof changeTags> {
  const server = await serverOf(call, call.params.id)
  refuseIfLocked(call, server)
  return await call.db.transaction((trx) => changeTags(trx, server.id, (present) => make(present, server.id)))
}

export async function index(call: Call): Promise<Reply> {
  return { status: 200, body: { tags: (await serverOf(call, call.params.id)).tags } }
}

export async function check(call: Call): Promise<Reply> {
  const { id, tags } = await serverOf(call, call.params.id)
  const { tag = '' } = call.params
  if (!tags.includes(tag)) throw new NoTag(id, tag)
  return { status: 204 }
}

const body = z.strictObject({ tags: serverTags })

export async function replace(call: Call): Promise<Reply> {
  const { tags } = parseBody(body, call.body)
  return { status: 200, body: { tags: (await change(call, () => tags)).after } }
}

export async function clear(call: Call): Promise<Reply> {
  await change(call, () => [])
  return { status: 204 }
}

/** A tag that is there already is answered without a location. */
export async function add(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const tag = serverTag.safeParse(call.params.tag)
  if (!tag.success)
    throw new Invalid(
      `Tag '${call.params.tag ?? ''}' is invalid. It must have 1 to 60 signs, and neither / nor a comma.`,
    )
  const { before } = await change(call, (present) => {
    if (!present.includes(tag.data) && present.length >= mostTags)
      throw new Invalid(`The number of tags exceeded the per-server limit ${mostTags}`)
    return [...present, tag.data]
  })
  if (before.includes(tag.data)) return { status: 204 }
  const path = `${call.root}/compute/v2.1/servers/${id}/tags/${encodeURIComponent(tag.data)}`
  return { status: 201, headers: { Location: path } }
}

export async function remove(call: Call): Promise<Reply> {
  const { tag = '' } = call.params
  await change(call, (present, id) => {
    if (!present.includes(tag)) throw new NoTag(id, tag)
    return present.filter((one) => one !== tag)
  })
  return { status: 204 }
}
