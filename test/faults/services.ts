/** The processes of the cloud under test, as the supervisor keeps them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { connect, type Db } from '../../db/connect.ts'
import { environmentOfService } from '../../machine/services.ts'
import { ask, request, type PartSpec } from '../../machine/supervisor-protocol.ts'
import type { TestCloud } from '../world/index.ts'
import { until } from '../world/index.ts'

/** A connection to the database of the cloud, for what no request can bring about. */
export async function databaseOf({ site }: TestCloud): Promise<Db> {
  const { DATABASE_URL = '' } = await environmentOfService(site, 'agent')
  return connect(DATABASE_URL, { size: 2, name: 'test' })
}

const specs = z.array(request.options[0].shape.part)

export async function specOf({ site }: Pick<TestCloud, 'site'>, name: string): Promise<PartSpec> {
  const all = specs.parse(JSON.parse(await readFile(join(site.layout.run, 'parts.json'), 'utf8')))
  const found = all.find((spec) => spec.name === name)
  if (!found) throw new Error(`the supervisor keeps no ${name}`)
  return found
}

/** @returns null while it does not run */
export async function pidOf({ site }: TestCloud, name: string): Promise<number | null> {
  const parts = await ask(site.layout.supervisorSocket, { op: 'status' })
  return parts.find((part) => part.name === name)?.pid ?? null
}

/** A service that died several times in a row waits longer each time: asked for, it starts at once. */
export async function revive(cloud: TestCloud, name: string): Promise<void> {
  await ask(cloud.site.layout.supervisorSocket, { op: 'start', part: await specOf(cloud, name) })
}

/** Returns when the process that had this pid is gone. */
export async function died(cloud: TestCloud, name: string, pid: number): Promise<void> {
  await until(async () => (await pidOf(cloud, name)) !== pid, { timeoutMs: 60_000, what: `${name} (${pid}) to die` })
}
