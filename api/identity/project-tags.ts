import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { updateProject } from '../../db/identity/projects.ts'
import type { ProjectRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { allowIn, Missing, self } from './answer.ts'
import { tagField, tagsField } from './bodies.ts'
import { findProject } from './projects.ts'

async function find(call: Call): Promise<ProjectRow> {
  const row = await findProject(call)
  allowIn(call, row.domainId)
  return row
}

function reply(call: Call, id: string, tags: readonly string[]): Reply {
  return { status: 200, body: { tags, links: self(call, `projects/${id}/tags`) } }
}

export async function index(call: Call): Promise<Reply> {
  const { id, tags } = await find(call)
  return reply(call, id, tags)
}

export async function check(call: Call): Promise<Reply> {
  const { tag = '' } = call.params
  if (!(await find(call)).tags.includes(tag)) throw new Missing('project tag', tag)
  return { status: 204 }
}

export async function replace(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const { tags } = parseBody(z.object({ tags: tagsField }), call.body)
  await updateProject(call.db, id, { tags })
  return reply(call, id, tags)
}

export async function clear(call: Call): Promise<Reply> {
  await updateProject(call.db, (await find(call)).id, { tags: [] })
  return { status: 204 }
}

export async function add(call: Call): Promise<Reply> {
  const { id, tags } = await find(call)
  const tag = tagField.safeParse(call.params.tag)
  if (!tag.success) throw new Invalid('A tag has 1 to 255 signs, and neither a comma nor a slash.')
  await updateProject(call.db, id, { tags: [...new Set([...tags, tag.data])] })
  return { status: 201 }
}

export async function remove(call: Call): Promise<Reply> {
  const { id, tags } = await find(call)
  const { tag = '' } = call.params
  if (!tags.includes(tag)) throw new Missing('project tag', tag)
  await updateProject(call.db, id, { tags: tags.filter((one) => one !== tag) })
  return { status: 204 }
}
