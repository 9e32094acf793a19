/** Projects that an image is shared with: its owner names them, and each says whether it wants to see it. */
import { z } from 'zod'
import { Conflict, Forbidden, NotFound } from '../../core/errors.ts'
import { addMember, answerMember, listMembers, removeMember } from '../../db/image-members.ts'
import type { ImageRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import { HttpFault } from '../faults.ts'
import type { Call, Reply } from '../route.ts'
import { imageOf, ownImageOf } from './find.ts'
import { memberView } from './view.ts'

const schema = '/v2/schemas/members'

/** Its owner sees all members, a member itself. */
function scopeOf({ caller }: Call, image: ImageRow): string | null {
  return caller.isAdmin || image.projectId === caller.projectId ? null : caller.projectId
}

async function sharedImageOf(call: Call): Promise<ImageRow> {
  const image = await ownImageOf(call, 'share')
  if (image.visibility !== 'shared') throw new Forbidden('Only shared images have members.')
  return image
}

export async function index(call: Call): Promise<Reply> {
  const image = await imageOf(call)
  const rows = await listMembers(call.db, image.id, scopeOf(call, image))
  return { status: 200, body: { members: rows.map(memberView), schema } }
}

export async function show(call: Call): Promise<Reply> {
  const image = await imageOf(call)
  const { member = '' } = call.params
  const only = scopeOf(call, image)
  const [row] = only === null || only === member ? await listMembers(call.db, image.id, member) : []
  if (!row) throw new NotFound('Image member', member)
  return { status: 200, body: memberView(row) }
}

export async function create(call: Call): Promise<Reply> {
  const { member } = parseBody(z.object({ member: z.string().min(1).max(255) }), call.body)
  const { id } = await sharedImageOf(call)
  const row = await addMember(call.db, id, member)
  if (!row) throw new Conflict(`Member ${member} is duplicated for image ${id}`)
  return { status: 200, body: memberView(row) }
}

const answer = z.object({ status: z.enum(['pending', 'accepted', 'rejected']) })

/** Only the member itself answers. */
export async function update(call: Call): Promise<Reply> {
  const { status } = parseBody(answer, call.body)
  const { id } = await imageOf(call)
  const { member = '' } = call.params
  if (!call.caller.isAdmin && call.caller.projectId !== member)
    throw new Forbidden(`Only ${member} itself answers whether it takes the image.`)
  const row = await answerMember(call.db, { imageId: id, projectId: member }, status)
  if (!row) throw new NotFound('Image member', member)
  return { status: 200, body: memberView(row) }
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await sharedImageOf(call)
  const { member = '' } = call.params
  if (!(await removeMember(call.db, id, member))) throw new HttpFault(404, `${member} is no member of image ${id}.`)
  return { status: 204 }
}
