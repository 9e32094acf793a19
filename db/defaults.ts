/** Who may use a new cloud, and what sizes it offers. All of it is made once; what is there is left as it is. */
import { createHash } from 'node:crypto'
import type { Db, Transaction } from './connect.ts'
import { defaultDomain } from './identity/domains.ts'
import { hashPassword, isPassword } from './password.ts'

const roles = ['admin', 'member', 'reader'] as const
const implications = [
  ['admin', 'member'],
  ['member', 'reader'],
] as const

/** Image and network without a version: clients append one, or ask. Each path stands below the place where a client found this API. */
const services = [
  { type: 'identity', name: 'keystone', path: '/identity' },
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'network', name: 'neutron', path: '/networking' },
  { type: 'placement', name: 'placement', path: '/placement' },
] as const
const interfaces = ['public', 'internal', 'admin'] as const

/** Nova's classic sizes, and one for a guest that does next to nothing. */
const flavors = [
  { id: '1', name: 'm1.nano', vcpus: 1, memoryMiB: 128, diskGiB: 1 },
  { id: '2', name: 'm1.tiny', vcpus: 1, memoryMiB: 512, diskGiB: 1 },
  { id: '3', name: 'm1.small', vcpus: 1, memoryMiB: 2048, diskGiB: 20 },
  { id: '4', name: 'm1.medium', vcpus: 2, memoryMiB: 4096, diskGiB: 40 },
  { id: '5', name: 'm1.large', vcpus: 4, memoryMiB: 8192, diskGiB: 80 },
] as const

/** Keystone's form of an id, the same each time for what every cloud has. */
function idOf(what: string): string {
  return createHash('sha256').update(what).digest('hex').slice(0, 32)
}

const adminProjectId = idOf('project admin')
const adminUserId = idOf('user admin')

async function createAdmin(trx: Transaction, password: string): Promise<void> {
  await trx('projects')
    .insert({ id: adminProjectId, name: 'admin', description: 'The first project' })
    .onConflict()
    .ignore()
  for (const name of roles)
    await trx('roles')
      .insert({ id: idOf(`role ${name}`), name })
      .onConflict()
      .ignore()
  for (const [prior, implied] of implications)
    await trx('implied_roles')
      .insert({ priorRoleId: idOf(`role ${prior}`), impliedRoleId: idOf(`role ${implied}`) })
      .onConflict()
      .ignore()
  const present = await trx('users').where({ domainId: defaultDomain.id, name: 'admin' }).first()
  if (!present) {
    const passwordHash = await hashPassword(password)
    await trx('users').insert({ id: adminUserId, name: 'admin', passwordHash, defaultProjectId: adminProjectId })
  } else if (!(await isPassword(present.passwordHash, password))) {
    await trx('users')
      .where({ id: present.id })
      .update({ passwordHash: await hashPassword(password) })
  }
  const admin = { userId: present?.id ?? adminUserId, roleId: idOf('role admin') }
  await trx('role_assignments')
    .insert([
      { ...admin, projectId: adminProjectId },
      { ...admin, isSystem: true },
    ])
    .onConflict()
    .ignore()
}

/** A region gets its endpoints when it is new: what an administrator changes later stays so. */
async function createCatalogue(trx: Transaction, region: string): Promise<void> {
  const known = await trx('regions').where({ id: region }).first('id')
  if (known) return
  await trx('regions').insert({ id: region })
  const rows = services.map(({ type, name }) => ({ id: idOf(`service ${type}`), type, name }))
  await trx('services').insert(rows).onConflict().ignore()
  const endpoints = services.flatMap(({ type, path }) =>
    interfaces.map((kind) => ({
      id: idOf(`endpoint ${region} ${type} ${kind}`),
      serviceId: idOf(`service ${type}`),
      regionId: region,
      interface: kind,
      url: `$(public_endpoint)s${path}`,
    })),
  )
  await trx('endpoints').insert(endpoints).onConflict().ignore()
}

/** The administrator's own servers are bound by the hosts, not by a quota. */
async function liftQuota(trx: Transaction): Promise<void> {
  const unlimited = ['instances', 'cores', 'ram'].map((resource) => ({
    projectId: adminProjectId,
    resource,
    hardLimit: -1,
  }))
  await trx('quotas').insert(unlimited).onConflict(['projectId', 'resource']).ignore()
}

/**
 * The roles, the project and user `admin`, the services of a new region, and, in a cloud that has none, flavors. The administrator's password is from now on the one
 * given: the setting is the truth, so that what `env` prints works.
 *
 * @returns the id of the project `admin`
 */
export async function createDefaults(
  db: Db,
  { adminPassword, region }: { readonly adminPassword: string; readonly region: string },
): Promise<string> {
  await db.transaction(async (trx) => {
    await trx.raw('select pg_advisory_xact_lock(hashtext(?))', ['defaults'])
    await createAdmin(trx, adminPassword)
    await liftQuota(trx)
    await createCatalogue(trx, region)
    const some = await trx('flavors').first('id')
    if (!some) await trx('flavors').insert([...flavors])
  })
  return adminProjectId
}
