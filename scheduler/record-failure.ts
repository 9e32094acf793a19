import type { NoValidHost } from '../core/errors.ts'
import { withEvent } from '../db/action-events.ts'
import type { Db } from '../db/connect.ts'

/** The user's action says what became of it. */
export async function recordFailure(
  db: Db,
  asked: { readonly serverId: string; readonly requestId: string },
  { event, error }: { readonly event: string; readonly error: NoValidHost },
): Promise<void> {
  await withEvent(db, asked, { event, host: 'scheduler' }, () => Promise.reject(error)).catch(() => undefined)
}
