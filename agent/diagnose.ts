import type { NicFigures } from '../core/server.ts'
import { vifsOf } from '../db/vifs.ts'
import type { GuestStats } from '../driver/driver.ts'
import { hostDevice } from '../core/network.ts'
import type { Host } from './host.ts'

/** The figures of a guest. */
export interface Diagnosis {
  /** null when the guest is off */
  readonly guest: GuestStats | null
  readonly nics: readonly NicFigures[]
}

const nothing = { bytes: 0, packets: 0, errors: 0, dropped: 0 }

/** A vif that does not stand now has carried nothing. */
export async function diagnose({ db, driver, wires }: Host, serverId: string): Promise<Diagnosis> {
  const vifs = await vifsOf(db, serverId)
  const nics = vifs.map(async ({ portId, mac }) => {
    const counters = await wires.counters(portId)
    return {
      device: hostDevice(portId),
      mac,
      received: counters?.sent ?? nothing,
      sent: counters?.received ?? nothing,
    }
  })
  return { guest: await driver.stats(serverId), nics: await Promise.all(nics) }
}
