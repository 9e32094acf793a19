/** Flavors, key pairs, quotas and limits, at every microversion where a request or a reply changes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Microversion } from '../../../../api/microversion.ts'
import { startApi, type TestApi } from '../../fixture.ts'
import { turnsIn, unseen, walker, type Ask } from '../walk.ts'
import { flavors, keypairs, quotas } from './flavors.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const root = '/compute/v2.1'
const all = { ...flavors, ...keypairs, ...quotas }

async function walkFlavors(ask: Ask, version: Microversion): Promise<void> {
  const { member, admin, projectId } = api
  const id = `flavor-${version}`
  const path = `${root}/flavors/${id}`
  const flavor = { name: id, id, ram: 64, vcpus: 1, disk: 1, 'os-flavor-access:is_public': false }
  await ask(admin, `POST ${root}/flavors`, { body: { flavor }, elsewhere: { description: 'd' } })
  await ask(member, `GET ${root}/flavors?limit=1`)
  await ask(member, `GET ${root}/flavors/detail?limit=1`)
  await ask(admin, `GET ${path}`)
  if (version >= 55) await ask(admin, `PUT ${path}`, { body: { flavor: { description: 'd' } } })
  await ask(admin, `POST ${path}/action`, { body: { addTenantAccess: { tenant: projectId } } })
  await ask(admin, `GET ${path}/os-flavor-access`)
  await ask(admin, `POST ${path}/action`, { body: { removeTenantAccess: { tenant: projectId } } })
  await ask(admin, `POST ${path}/os-extra_specs`, { body: { extra_specs: { 'quota:cpu_shares': '10' } } })
  await ask(admin, `GET ${path}/os-extra_specs`)
  const spec = `${path}/os-extra_specs/quota:cpu_shares`
  await ask(admin, `PUT ${spec}`, { body: { 'quota:cpu_shares': '20' } })
  await ask(admin, `GET ${spec}`)
  await ask(admin, `DELETE ${spec}`)
  await ask(admin, `DELETE ${path}`)
}

const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEX8o5PvJx0H0x7pQ9m3c1m1uH3sH3uX9i0t0w2n5k9a test'

async function walkKeys(ask: Ask, version: Microversion): Promise<void> {
  const { member } = api
  const path = `${root}/os-keypairs`
  const name = `key-${version}`
  const body = { keypair: { name, public_key: publicKey } }
  await ask(member, `POST ${path}`, { body, elsewhere: { type: 'ssh', user_id: 'user-mia' } })
  const made = { keypair: { name: `made-${version}` } }
  await ask(member, `POST ${path}`, { body: made, ...(version >= 92 ? { status: 400 } : {}) })
  await ask(member, `GET ${path}`)
  if (version >= 35) await ask(member, `GET ${path}?limit=1`)
  await ask(member, `GET ${path}/${name}`)
  await ask(member, `DELETE ${path}/${name}`)
}

const networkLimits = { floating_ips: 1, fixed_ips: 1, security_groups: 1, security_group_rules: 1 }
const fileLimits = { injected_files: 1, injected_file_content_bytes: 1, injected_file_path_bytes: 1 }
const elsewhere = { ...networkLimits, ...fileLimits, server_groups: 5, server_group_members: 5 }

async function walkQuotas(ask: Ask): Promise<void> {
  const { member, admin, projectId } = api
  const path = `${root}/os-quota-sets/${projectId}`
  const body = { quota_set: { instances: 50, force: true } }
  await ask(admin, `PUT ${path}`, { body, elsewhere })
  await ask(member, `GET ${path}`)
  await ask(member, `GET ${path}/defaults`)
  await ask(member, `GET ${path}/detail`)
  await ask(admin, `DELETE ${path}`)
  const classes = `${root}/os-quota-class-sets/default`
  await ask(admin, `PUT ${classes}`, { body: { quota_class_set: { instances: 20 } }, elsewhere })
  await ask(admin, `GET ${classes}`)
  await ask(member, `GET ${root}/limits`)
}

test.each(turnsIn(all))('flavors, keys and quotas are as they should be at 2.%d', async (version) => {
  const ask = walker(version)
  await walkFlavors(ask, version)
  await walkKeys(ask, version)
  await walkQuotas(ask)
})

test('every shape was seen', () => {
  expect(unseen(api.book, all)).toEqual([])
})
