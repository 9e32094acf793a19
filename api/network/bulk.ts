/** One resource or several in one request: all of them are made, or none. */
import { z } from 'zod'
import type { Transaction } from '../../db/connect.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'

interface Names {
  readonly one: string
  readonly many: string
}

function wantedIn<S extends z.ZodType>(
  { one, many }: Names,
  schema: S,
  body: unknown,
): { readonly wanted: readonly z.output<S>[]; readonly isMany: boolean } {
  const isMany = typeof body === 'object' && body !== null && Object.hasOwn(body, many)
  if (!isMany) return { isMany, wanted: Object.values(parseBody(z.record(z.literal(one), schema), body)) }
  const lists = Object.values(parseBody(z.record(z.literal(many), z.array(schema).min(1)), body))
  return { isMany, wanted: lists.flatMap((list) => list) }
}

/**
 * Makes what the body asks for in one transaction.
 *
 * @param make  makes one; its id
 * @param view  as the reply shows it, read when all are there
 */
export async function createEach<S extends z.ZodType>(
  call: Call,
  names: Names,
  schema: S,
  {
    make,
    view,
  }: {
    readonly make: (trx: Transaction, wanted: z.output<S>) => Promise<string>
    readonly view: (id: string) => Promise<Readonly<Record<string, unknown>>>
  },
): Promise<Reply> {
  const { wanted, isMany } = wantedIn(names, schema, call.body)
  const ids = await call.db.transaction(async (trx) => {
    const made: string[] = []
    for (const each of wanted) made.push(await make(trx, each))
    return made
  })
  const views = await Promise.all(ids.map(view))
  return { status: 201, body: isMany ? { [names.many]: views } : { [names.one]: views[0] } }
}
