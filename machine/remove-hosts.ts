/** Hosts that a machine has beside its first one, and is to have no more. */
import { Conflict } from '../core/errors.ts'
import { connect, type Db } from '../db/connect.ts'
import { deleteHost } from '../db/hosts.ts'
import { disconnectHost, hostsBeside } from './hosts.ts'
import { step } from './progress.ts'
import type { Site } from './parts/part.ts'
import { purge } from './purge.ts'
import type { Parts } from './services.ts'
import { separateHosts } from './underlay.ts'

/** @throws Conflict that says how it becomes empty */
async function strike(db: Db, name: string): Promise<void> {
  try {
    await db.transaction((trx) => deleteHost(trx, name))
  } catch (error) {
    if (!(error instanceof Conflict)) throw error
    throw new Conflict(`servers stand on ${name}; remedy: ./berth host drain ${name}`, { cause: error })
  }
}

/**
 * The last hosts go until `count` are left, each with all that it has.
 *
 * @throws Conflict when servers stand on one of them: it stays as it is
 */
export async function removeHosts(site: Site, parts: Parts, count: number): Promise<void> {
  const surplus = hostsBeside(site).slice(count - 1)
  if (surplus.length === 0) return
  const db = connect(parts.postgres.where, { size: 2, name: 'up', answerMs: 0 })
  try {
    for (const host of surplus.toReversed()) {
      await step(`remove ${host.config.hostName}`, () => strike(db, host.config.hostName))
      await disconnectHost({ site, ovsSocket: parts.openvswitch.where }, host)
      await purge(host.config)
    }
    if (count === 1) separateHosts(site)
  } finally {
    await db.destroy()
  }
}
