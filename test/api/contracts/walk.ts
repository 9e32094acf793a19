/** Walks a facade at a version: each request is also sent spoilt, and what the contract does not take must be refused. */
import { z } from 'zod'
import { facades } from '../../../api/app.ts'
import { highest, lowest, minorOf, type Microversion } from '../../../api/microversion.ts'
import type { Answer, Client } from '../fixture.ts'
import { contractOf, nameOf, type ContractBook } from './book.ts'
import { actionRoute } from './compute/actions.ts'
import type { Contract, Contracts } from './contract.ts'
import { contracts } from './index.ts'
import { ascending, shapeOf } from './shape.ts'

type Json = Readonly<Record<string, unknown>>

interface Step {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** keys of the object in the body that other versions take, each with a value that they take */
  readonly elsewhere?: Json
  /** the status to be answered; none = one of the contract's own */
  readonly status?: number
}

/** Asks at the version of the walk. @throws Error when the answer is not of the contract */
export type Ask = (client: Client, request: string, step?: Step) => Promise<Answer>

const record = z.record(z.string(), z.unknown())

/** The body with one key more: beside the resource, and in it. */
function spoilt(body: unknown, elsewhere: Json): readonly unknown[] {
  const outer = record.safeParse(body)
  if (!outer.success) return []
  const [entry, ...others] = Object.entries(outer.data)
  const inner = others.length === 0 && entry ? record.safeParse(entry[1]) : null
  const within = (more: Json): readonly unknown[] =>
    inner?.success && entry ? [{ [entry[0]]: { ...inner.data, ...more } }] : []
  return [
    { ...outer.data, unheard_of: 1 },
    ...within({ unheard_of: 1 }),
    ...Object.entries(elsewhere).flatMap(([key, value]) => within({ [key]: value })),
  ]
}

function refused({ takes }: Contract, version: Microversion, bodies: readonly unknown[]): readonly unknown[] {
  const schema = takes && shapeOf(takes).at(version)
  return schema ? bodies.filter((body) => !schema.safeParse(body).success) : []
}

export function walker(version: Microversion): Ask {
  return async (client, request, { body, headers, elsewhere = {}, status } = {}) => {
    const [method = '', url = ''] = request.split(' ')
    const contract = contractOf({ method, url, request: body }, version)
    if (!contract) throw new Error(`${request} has no contract at 2.${version}`)
    const asked = { version: `2.${version}`, ...(headers ? { headers } : {}) }
    for (const bad of refused(contract, version, spoilt(body, elsewhere))) {
      const answer = await client(request, { ...asked, body: bad })
      if (answer.status !== 400)
        throw new Error(`${request} at 2.${version} took ${JSON.stringify(bad)}: ${answer.status}`)
    }
    const answer = await client(request, { ...asked, ...(body === undefined ? {} : { body }) })
    const isOwn = status === undefined ? answer.status in contract.gives : answer.status === status
    if (!isOwn) throw new Error(`${request} at 2.${version}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer
  }
}

interface Life {
  readonly first: Microversion
  readonly last: Microversion
}

/** The versions that have a contract's route. */
function lifeOf(name: string): Life {
  if (name.startsWith(actionRoute)) return { first: lowest, last: highest }
  for (const facade of facades)
    for (const route of facade.routes)
      if (nameOf(facade, route) === name) {
        const { since, until } = route
        return { first: since ? minorOf(since) : lowest, last: until ? minorOf(until) - 1 : highest }
      }
  throw new Error(`${name} has no route`)
}

function isThere({ takes, gives }: Contract, version: Microversion): boolean {
  const isTaken = takes === undefined || shapeOf(takes).at(version) !== null
  return isTaken && Object.values(gives).some((part) => shapeOf(part).at(version) !== null)
}

/** The first version of each of its shapes. */
export function turnsOf(name: string, contract: Contract): readonly Microversion[] {
  const { first, last } = lifeOf(name)
  const parts = [...(contract.takes ? [contract.takes] : []), ...Object.values(contract.gives)]
  const turns = parts.flatMap((part) => shapeOf(part).turns).filter((turn) => turn > first && turn <= last)
  return ascending([first, ...turns])
}

/** All versions at which something in these contracts changes. */
export function turnsIn(some: Contracts): readonly Microversion[] {
  return ascending(Object.entries(some).flatMap(([name, contract]) => turnsOf(name, contract)))
}

/** Shapes, and replies, of these contracts that nobody has seen. */
export function unseen(book: ContractBook, some: Contracts): readonly string[] {
  return Object.entries(some).flatMap(([name, contract]) => {
    const kept = book.kept.filter((one) => one.name === name)
    const turns = turnsOf(name, contract)
    const shapes = turns.flatMap((turn, place) => {
      const end = turns[place + 1] ?? lifeOf(name).last + 1
      const isSeen = kept.some(({ version }) => version >= turn && version < end)
      return isSeen || !isThere(contract, turn) ? [] : [`${name} from 2.${turn} on`]
    })
    const replies = Object.keys(contract.gives).filter((status) => !kept.some((one) => String(one.status) === status))
    return [...shapes, ...replies.map((status) => `${name}: ${status}`)]
  })
}

/** Routes without a contract, and contracts without a route. */
export function unmatched(actions: readonly string[]): readonly string[] {
  const routes = facades.flatMap((facade) => facade.routes.map((route) => nameOf(facade, route)))
  const wanted = [
    ...routes.filter((name) => name !== actionRoute),
    ...actions.map((action) => `${actionRoute} ${action}`),
  ]
  const known = Object.keys(contracts)
  return [
    ...wanted.filter((name) => !known.includes(name)).map((name) => `${name}: no contract`),
    ...known.filter((name) => !wanted.includes(name)).map((name) => `${name}: no route`),
  ]
}
