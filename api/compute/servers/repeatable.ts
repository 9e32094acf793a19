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

interface Made {
  readonly first: string
  readonly reply: Reply
}

/** Runs `make`, or answers as it was answered when this request came before; then nothing was made. */
export async function once<T extends Made>(
  trx: Transaction,
  call: Call,
  make: () => Promise<T>,
): Promise<{ readonly reply: Reply; readonly made: T | null }> {
  const key = keyOf(call)
  const request = { userId: call.caller.userId, projectId: call.caller.projectId ?? '', key: key ?? '' }
  const earlier = key === null ? null : await earlierServer(trx, request, call.body)
  if (earlier !== null) return { reply: replyAgain(call, earlier), made: null }
  const made = await make()
  if (key !== null) await rememberServer(trx, request, made.first)
  return { reply: made.reply, made }
}
