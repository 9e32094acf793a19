/** A create that carries the header Idempotency-Key makes its servers once, however often it comes. Source: draft-ietf-httpapi-idempotency-key-header */
import { Invalid } from '../../../core/errors.ts'
import type { Transaction } from '../../../db/connect.ts'
import { earlierServer, rememberServer } from '../../../db/repeatable-requests.ts'
import type { Call, Reply } from '../../route.ts'
import { linksOf } from '../links.ts'

const longestKey = 255

function keyOf(call: Call): string | null {
  const key = call.header('idempotency-key')
  if (key !== undefined && (key === '' || key.length > longestKey))
    throw new Invalid(`Idempotency-Key must have 1 to ${longestKey} characters.`)
  return key ?? null
}

/** As the first reply, but for the password: that is told once. */
function replyAgain({ root }: Call, id: string): Reply {
  const body = { server: { id, links: linksOf(root, 'servers', id) } }
  return { status: 202, body, headers: { Location: `${root}/compute/v2.1/servers/${id}` } }
}

/** Runs `make`, or answers as it was answered when this request came before. */
export async function once(
  trx: Transaction,
  call: Call,
  make: () => Promise<{ readonly first: string; readonly reply: Reply }>,
): Promise<Reply> {
  const key = keyOf(call)
  if (key === null) return (await make()).reply
  const request = { userId: call.caller.userId, projectId: call.caller.projectId ?? '', key }
  const earlier = await earlierServer(trx, request, call.body)
  if (earlier !== null) return replyAgain(call, earlier)
  const { first, reply } = await make()
  await rememberServer(trx, request, first)
  return reply
}
