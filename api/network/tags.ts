/** Tags of a resource, as a set of words of its own. */
import { z } from 'zod'
import { Forbidden } from '../../core/errors.ts'
import { NetworkError } from '../../core/network-errors.ts'
import { getNetwork, getSubnet } from '../../db/networks.ts'
import { getPort } from '../../db/ports.ts'
import { getSecurityGroup } from '../../db/security-groups.ts'
import { setTags, type TaggedTable } from '../../db/tags.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply, Route } from '../route.ts'

interface Tagged {
  readonly id: string
  readonly projectId: string
  readonly tags: readonly string[]
}

interface Kind {
  readonly path: string
  readonly table: TaggedTable
  readonly find: (call: Call) => Promise<Tagged>
}

const kinds: readonly Kind[] = [
  {
    path: 'networks',
    table: 'networks',
    find: ({ db, params, caller }) => getNetwork(db, params.id ?? '', viewerOf(caller)),
  },
  {
    path: 'subnets',
    table: 'subnets',
    find: ({ db, params, caller }) => getSubnet(db, params.id ?? '', viewerOf(caller)),
  },
  { path: 'ports', table: 'ports', find: ({ db, params, caller }) => getPort(db, params.id ?? '', viewerOf(caller)) },
  {
    path: 'security-groups',
    table: 'security_groups',
    find: ({ db, params, caller }) => getSecurityGroup(db, params.id ?? '', viewerOf(caller)),
  },
]

const tag = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^,]*$/)
const body = z.strictObject({ tags: z.array(tag).max(50) })

/** Sees what the caller sees, and changes what is the caller's. @throws NotFound, Forbidden */
async function owned(call: Call, { find }: Kind): Promise<Tagged> {
  const found = await find(call)
  if (!call.caller.isAdmin && found.projectId !== call.caller.projectId)
    throw new Forbidden("Policy doesn't allow update_tags to be performed.")
  return found
}

function missing(id: string, word: string): NetworkError {
  return new NetworkError('TagNotFound', `Tag ${word} for resource ${id} could not be found.`)
}

function routesOf(kind: Kind): readonly Route[] {
  const { path, table, find } = kind
  const all = `/v2.0/${path}/:id/tags`
  const one = `${all}/:tag`
  const replace = async (call: Call, change: (tags: readonly string[], id: string) => readonly string[]) => {
    const { id, tags } = await owned(call, kind)
    return await setTags(call.db, table, id, change(tags, id))
  }
  const show = async (call: Call): Promise<Reply> => ({ status: 200, body: { tags: (await find(call)).tags } })
  const has = async (call: Call): Promise<Reply> => {
    const { id, tags } = await find(call)
    const { tag: word = '' } = call.params
    if (!tags.includes(word)) throw missing(id, word)
    return { status: 204 }
  }
  const put = async (call: Call): Promise<Reply> => ({
    status: 200,
    body: { tags: await replace(call, () => parseBody(body, call.body).tags) },
  })
  const add = async (call: Call): Promise<Reply> => {
    await replace(call, (tags) => [...tags, parseBody(tag, call.params.tag)])
    return { status: 201 }
  }
  const clear = async (call: Call): Promise<Reply> => {
    await replace(call, () => [])
    return { status: 204 }
  }
  const drop = async (call: Call): Promise<Reply> => {
    await replace(call, (tags, id) => {
      const { tag: word = '' } = call.params
      if (!tags.includes(word)) throw missing(id, word)
      return tags.filter((other) => other !== word)
    })
    return { status: 204 }
  }
  return [
    { method: 'get', path: all, rule: 'get_tags', run: show },
    { method: 'put', path: all, rule: 'update_tags', run: put },
    { method: 'delete', path: all, rule: 'update_tags', run: clear },
    { method: 'get', path: one, rule: 'get_tags', run: has },
    { method: 'put', path: one, rule: 'update_tags', run: add },
    { method: 'delete', path: one, rule: 'update_tags', run: drop },
  ]
}

export const tagRoutes: readonly Route[] = kinds.flatMap(routesOf)
