/** The requests that everything in a directory has: listed, made, shown, changed, and deleted in the end. */
import { z } from 'zod'
import type { Client } from '../fixture.ts'
import type { Ask } from './walk.ts'

export interface Kind {
  readonly client: Client
  /** such as '/networking/v2.0/ports' */
  readonly path: string
  /** the key of one in a body; its own id stands in it */
  readonly one: string
}
type Wish = Readonly<Record<string, unknown>>

/** @returns the id of what was made */
export async function make(ask: Ask, { client, path, one }: Kind, wish: Wish): Promise<string> {
  const { body } = await ask(client, `POST ${path}`, { body: { [one]: wish } })
  const made = z.looseObject({ [one]: z.looseObject({ id: z.union([z.string(), z.number()]) }) }).parse(body)
  return String(made[one]?.id)
}

/** Makes one, looks at it in every way, and changes it; none to change it by = it cannot be changed. @returns its id */
export async function liveOn(
  ask: Ask,
  kind: Kind,
  { wish, change }: { readonly wish: Wish; readonly change: readonly [method: 'PUT' | 'PATCH', wish: Wish] | null },
): Promise<string> {
  const { client, path, one } = kind
  const id = await make(ask, kind, wish)
  await ask(client, `GET ${path}`)
  await ask(client, `GET ${path}/${id}`)
  if (change) await ask(client, `${change[0]} ${path}/${id}`, { body: { [one]: change[1] } })
  return id
}

/** Requests without a body, one after the other. */
export async function each(ask: Ask, client: Client, requests: readonly string[]): Promise<void> {
  for (const request of requests) await ask(client, request)
}
