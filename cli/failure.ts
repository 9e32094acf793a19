/** What the last action of a server says of its failure. */
import { z } from 'zod'
import type { Client } from './client.ts'

const microversion = '2.88'

/** @returns null when it did not fail */
export async function lastFailure(client: Client, id: string): Promise<string | null> {
  const path = `/compute/v2.1/servers/${id}/os-instance-actions`
  const actions = z.object({ instanceActions: z.array(z.object({ action: z.string(), request_id: z.string() })) })
  const [last] = (await client.ask(path, { shape: actions, microversion })).instanceActions
  if (!last) return null
  const event = z.object({ event: z.string(), result: z.string().nullable(), details: z.string().nullable() })
  const one = z.object({ instanceAction: z.object({ events: z.array(event) }) })
  const { events } = (await client.ask(`${path}/${last.request_id}`, { shape: one, microversion })).instanceAction
  const failed = events.find(({ result }) => result === 'Error')
  return failed ? `${last.action}: ${failed.details ?? failed.event}` : null
}
