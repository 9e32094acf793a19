/** Every route of what this cloud has beyond OpenStack's services is asked, and its answer judged; with a registry, where images are. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { lowest } from '../../../api/microversion.ts'
import { registry } from '../../world/index.ts'
import { addHost, dropAgentRoles, startApi, type TestApi } from '../fixture.ts'
import { berth } from './berth.ts'
import { each } from './life.ts'
import { unseen, walker } from './walk.ts'

let api: TestApi
let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'images-'))
  api = await startApi({ home, postgresAddress: '192.0.2.1' }, { registry: await registry() })
  await addHost(api.db, 'host-1')
}, 120_000)
afterAll(async () => {
  await dropAgentRoles(api.db)
  await api.stop()
  await rm(home, { recursive: true })
})

const at = '/berth/v1'
const ask = walker(lowest)

test('hosts are listed, shown and set; another joins', async () => {
  await each(ask, api.admin, [`GET ${at}/hosts`, `GET ${at}/hosts/host-1`])
  await ask(api.admin, `PATCH ${at}/hosts/host-1`, { body: { rack: 'r1' } })
  const { body } = await ask(api.admin, `POST ${at}/join-tokens`, { body: {} })
  const { token } = z.looseObject({ token: z.string() }).parse(body)
  await ask(api.nobody, `POST ${at}/join`, { body: { token, host_name: 'rack2-07' } })
})

test('policies of backups are set, shown, and deleted', async () => {
  const policies = `${at}/backup-policies`
  const { body } = await ask(api.member, `PUT ${policies}`, { body: { interval_seconds: 3600, keep: 2 } })
  const made = z.object({ backup_policy: z.looseObject({ id: z.union([z.number(), z.string()]) }) }).parse(body)
  const one = `${policies}/${made.backup_policy.id}`
  await each(ask, api.member, [`GET ${policies}`, `GET ${one}`, `DELETE ${one}`])
})

test('images are listed, wished for, fetched, and swept', async () => {
  const wish = { name: 'bytes', disk_format: 'raw', container_format: 'bare' }
  const image = z
    .looseObject({ id: z.uuid() })
    .parse((await ask(api.admin, 'POST /image/v2/images', { body: wish })).body)
  const bytes = { headers: { 'Content-Type': 'application/octet-stream' }, body: 'bytes of no image' }
  await ask(api.admin, `PUT /image/v2/images/${image.id}/file`, bytes)
  const cache = `${at}/images/${api.imageId}/cache`
  await ask(api.admin, `POST ${cache}`, { body: {} })
  await each(ask, api.admin, [`DELETE ${cache}`, `GET ${at}/images`, `GET ${at}/images/${image.id}/archive`])
  await ask(api.admin, `POST ${at}/images/sweep`, { body: { dry_run: true } })
}, 60_000)

test('no route was left out', () => {
  expect(unseen(api.book, berth)).toEqual([])
})
