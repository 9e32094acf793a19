/** Roles that include others. */
import { Forbidden } from '../../core/errors.ts'
import * as rows from '../../db/identity/roles.ts'
import type { RoleRow } from '../../db/tables.ts'
import type { Call, Reply } from '../route.ts'
import { Missing, self, type Json } from './answer.ts'
import { findRole } from './roles.ts'

function short(call: Call, { id, name }: RoleRow): Json {
  return { id, name, links: self(call, `roles/${id}`) }
}

async function pairOf(call: Call): Promise<rows.Implication> {
  const { id = '', implied = '' } = call.params
  return { prior: await findRole(call, id), implied: await findRole(call, implied) }
}

function pairReply(call: Call, status: number, { prior, implied }: rows.Implication): Reply {
  const links = self(call, `roles/${prior.id}/implies/${implied.id}`)
  return {
    status,
    body: { role_inference: { prior_role: short(call, prior), implies: short(call, implied) }, links },
  }
}

/** All of them, each prior role with what it includes. */
export async function inferences(call: Call): Promise<Reply> {
  const all = Map.groupBy(await rows.listImplications(call.db, null), ({ prior }) => prior.id)
  const entries = [...all.values()].flatMap((implications) => {
    const [first] = implications
    if (!first) return []
    return [{ prior_role: short(call, first.prior), implies: implications.map(({ implied }) => short(call, implied)) }]
  })
  return { status: 200, body: { role_inferences: entries, links: self(call, 'role_inferences') } }
}

export async function index(call: Call): Promise<Reply> {
  const prior = await findRole(call, call.params.id ?? '')
  const implies = (await rows.listImplications(call.db, prior.id)).map(({ implied }) => short(call, implied))
  const links = self(call, `roles/${prior.id}/implies`)
  return { status: 200, body: { role_inference: { prior_role: short(call, prior), implies }, links } }
}

async function existing(call: Call): Promise<rows.Implication> {
  const pair = await pairOf(call)
  const all = await rows.listImplications(call.db, pair.prior.id)
  if (!all.some(({ implied }) => implied.id === pair.implied.id)) throw new Missing('implied role', pair.implied.id)
  return pair
}

export async function show(call: Call): Promise<Reply> {
  return pairReply(call, 200, await existing(call))
}

export async function check(call: Call): Promise<Reply> {
  await existing(call)
  return { status: 204 }
}

/** Nothing includes admin: what was given to many would suddenly lead the cloud. */
export async function create(call: Call): Promise<Reply> {
  const pair = await pairOf(call)
  if (pair.implied.name === 'admin') throw new Forbidden('The role admin cannot be an implied role.')
  if (pair.prior.id === pair.implied.id) throw new Forbidden('A role does not imply itself.')
  await rows.imply(call.db, pair.prior.id, pair.implied.id)
  return pairReply(call, 201, pair)
}

export async function remove(call: Call): Promise<Reply> {
  const { prior, implied } = await existing(call)
  await rows.stopImplying(call.db, prior.id, implied.id)
  return { status: 204 }
}
