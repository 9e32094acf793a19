import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const retryMs = 1000

/**
 * Calls `onNotice` for each notice of a channel, and once more after each time that the connection was lost, since one may have been
 * missed. Returns when the signal aborts.
 */
export async function listen(
  databaseUrl: string,
  channel: string,
  { signal, onNotice }: { readonly signal: AbortSignal; readonly onNotice: () => void },
): Promise<void> {
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: `listen ${channel}`,
      keepAlive: true,
    })
    const ended = new Promise<void>((resolve) => {
      client.on('error', () => resolve())
      client.on('end', () => resolve())
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      await client.connect()
      client.on('notification', onNotice)
      await client.query(`listen ${pg.escapeIdentifier(channel)}`)
      if (!isFirst) onNotice()
      await ended
    } catch (error) {
      if (!(error instanceof Error)) throw error
    } finally {
      await client.end().catch(() => undefined)
    }
    await sleep(retryMs, undefined, { signal }).catch(() => undefined)
  }
}
