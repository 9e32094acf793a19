/** Drift made by hand, and looked at while nobody mends it. */
import { findings, type Finding } from '../../machine/audit.ts'
import type { Db } from '../../db/connect.ts'
import { heartbeat } from '../../db/hosts.ts'
import { freeze } from '../faults/freeze.ts'
import { pidOf } from '../faults/services.ts'
import type { TestCloud } from '../world/index.ts'

/** One second after the first look. */
export async function look({ site }: TestCloud, repair: boolean): Promise<readonly Finding[]> {
  return await findings(site, { repair, settle: 1 })
}

const beatMs = 5000

/**
 * Agent and scheduler, which would mend some drift by themselves, stand still meanwhile. The host's signs of life go on: however long
 * a busy machine takes, its silence is not the drift that is looked for.
 */
export async function unswept<T>(cloud: TestCloud, db: Db, work: () => Promise<T>): Promise<T> {
  const wake: (() => void)[] = []
  for (const part of ['agent', 'scheduler']) {
    const pid = await pidOf(cloud, part)
    if (pid !== null) wake.push(freeze(part, pid))
  }
  const beat = (): Promise<void> => heartbeat(db, cloud.site.config.hostName, null)
  const beating = setInterval(() => void beat().catch(() => undefined), beatMs)
  try {
    await beat()
    return await work()
  } finally {
    clearInterval(beating)
    for (const thaw of wake) thaw()
  }
}

/** A row as a deleted server leaves it. */
export async function deletedServer(db: Db, id: string): Promise<void> {
  await db('servers').insert({
    id,
    projectId: 'p',
    userId: 'u',
    name: 'gone',
    hostname: 'gone',
    vmState: 'deleted',
    flavor: { id: '1', name: 'f', vcpus: 1, memoryMiB: 64, diskGiB: 0, extraSpecs: {} },
    imageReference: 'i',
    reservationId: 'r',
    deletedAt: db.fn.now(),
  })
}

/** The scheduler may be placing it: it waits, and then finds nothing. */
export async function forget(db: Db, id: string): Promise<void> {
  await db.transaction(async (trx) => {
    await trx('servers').where({ id }).forUpdate().first('id')
    await trx('allocations').where({ serverId: id }).delete()
    await trx('servers').where({ id }).delete()
  })
}
