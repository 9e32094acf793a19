/** Two hosts, and a user whose flavors say by which transport their servers move. */
import { z } from 'zod'
import type { Transport } from '../../../core/moves.ts'
import type { Db } from '../../../db/connect.ts'
import { hostsBeside } from '../../../machine/hosts.ts'
import type { Site } from '../../../machine/parts/part.ts'
import { up } from '../../../machine/up.ts'
import { startCloud, until, type TestCloud } from '../../world/index.ts'
import { databaseOf } from '../services.ts'
import { User } from '../user.ts'

export const transports = ['delta', 'registry'] as const satisfies readonly Transport[]

export interface Scene {
  readonly cloud: TestCloud
  readonly second: Site
  readonly user: User
  readonly db: Db
  /** ids */
  readonly flavors: Readonly<Record<Transport, string>>
}

const made = z.object({ flavor: z.object({ id: z.string() }) })

async function flavorOf(user: User, transport: Transport): Promise<string> {
  const flavor = { name: `moves.${transport}`, vcpus: 1, ram: 256, disk: 2 }
  const { text } = await user.call('POST', '/compute/v2.1/flavors', { body: { flavor } })
  const { id } = made.parse(JSON.parse(text)).flavor
  const body = { extra_specs: { 'berth:transport': transport } }
  await user.call('POST', `/compute/v2.1/flavors/${id}/os-extra_specs`, { body })
  return id
}

export async function openScene(): Promise<Scene> {
  const cloud = await startCloud(2)
  const [second] = hostsBeside(cloud.site)
  if (!second) throw new Error('there is no second host')
  const user = await User.of(cloud)
  const flavors = { delta: await flavorOf(user, 'delta'), registry: await flavorOf(user, 'registry') }
  return { cloud, second, user, db: await databaseOf(cloud), flavors }
}

/** Other tests have the machine as one host again. */
export async function closeScene({ cloud, user, db, flavors }: Scene): Promise<void> {
  for (const { id } of await user.list()) await user.change(id, 'delete')
  await until(async () => (await user.list()).length === 0, { timeoutMs: 180_000, what: 'all servers to go' })
  for (const id of Object.values(flavors)) await user.call('DELETE', `/compute/v2.1/flavors/${id}`)
  const left = await cloud.audit()
  await db.destroy()
  await up(cloud.site.config, { hello: false, hosts: 1 })
  if (left.length > 0) throw new Error(`left over: ${JSON.stringify(left)}`)
}
