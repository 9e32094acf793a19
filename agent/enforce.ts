/** Security groups, anti-spoofing and limits of this host's ports, as the rows have them now. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import { listen } from '../db/listen.ts'
import { policyOf } from '../db/policy.ts'
import { vifsOnHost } from '../db/vifs.ts'
import type { Host } from './host.ts'

/** Many rows change at once, as when servers are made: they are read once. */
const gatherMs = 15

/** Read and applied in one turn: an older reading never overwrites a newer one. */
export async function enforce({ db, wires, name, turns }: Host): Promise<void> {
  await turns.at('policy', async () => {
    const [policy, vifs] = await Promise.all([policyOf(db, name), vifsOnHost(db, name)])
    await wires.enforce(policy, vifs)
  })
}

/** Applies each change when the database tells of it, until the signal aborts. */
export async function enforceChanges(host: Host, databaseUrl: string, signal: AbortSignal): Promise<void> {
  let isWaiting = false
  const onNotice = (): void => {
    if (isWaiting) return
    isWaiting = true
    sleep(gatherMs)
      .then(() => {
        isWaiting = false
        return enforce(host)
      })
      .catch((error: unknown) => host.log.error({ reason: messageOf(error) }, 'a change of the wires was not applied'))
  }
  await listen(databaseUrl, 'wires', { signal, onNotice })
}
