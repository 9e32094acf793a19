/** Every route of Image v2 is asked, and its answer judged; with a registry, where the bytes are. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { lowest } from '../../../api/microversion.ts'
import { registry } from '../../world/index.ts'
import { startApi, type TestApi } from '../fixture.ts'
import { images } from './image.ts'
import { each } from './life.ts'
import { unseen, walker } from './walk.ts'

let api: TestApi
let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'images-'))
  api = await startApi({ home }, { registry: await registry() })
}, 120_000)
afterAll(async () => {
  await api.stop()
  await rm(home, { recursive: true })
})

const at = '/image/v2'
const ask = walker(lowest)
const made = z.looseObject({ id: z.uuid() })
const bytes = { headers: { 'Content-Type': 'application/octet-stream' }, body: 'bytes of no image' }
const patch = { headers: { 'Content-Type': 'application/openstack-images-v2.1-json-patch' } }

test('an image is made, filled, changed, shared, and deleted', async () => {
  const { admin, member, stranger } = api
  const wish = { name: 'walked', disk_format: 'raw', container_format: 'bare', visibility: 'shared' }
  const image = `${at}/images/${made.parse((await ask(member, `POST ${at}/images`, { body: wish })).body).id}`
  await ask(member, `GET ${image}/file`, { status: 204 })
  await ask(member, `PUT ${image}/file`, bytes)
  await each(ask, member, [`GET ${at}/images`, `GET ${image}`, `GET ${image}/file`])
  await ask(member, `PATCH ${image}`, { ...patch, body: [{ op: 'add', path: '/colour', value: 'red' }] })
  await each(ask, member, [`PUT ${image}/tags/red`, `DELETE ${image}/tags/red`])
  await each(ask, admin, [`POST ${image}/actions/deactivate`, `POST ${image}/actions/reactivate`])
  const sharer = `${image}/members/project-elsewhere`
  await ask(member, `POST ${image}/members`, { body: { member: 'project-elsewhere' } })
  await ask(stranger, `PUT ${sharer}`, { body: { status: 'accepted' } })
  await each(ask, member, [`GET ${image}/members`, `GET ${sharer}`, `DELETE ${sharer}`, `DELETE ${image}`])
}, 60_000)

test('bytes that are staged are the image’s when they are imported, and nobody’s before', async () => {
  const { member } = api
  const wish = { name: 'staged', disk_format: 'raw', container_format: 'bare' }
  const image = `${at}/images/${made.parse((await ask(member, `POST ${at}/images`, { body: wish })).body).id}`
  const direct = { body: { method: { name: 'glance-direct' } } }
  await ask(member, `POST ${image}/import`, { ...direct, status: 409 })
  await ask(member, `PUT ${image}/stage`, bytes)
  expect((await ask(member, `GET ${image}`)).body).toMatchObject({ status: 'uploading' })
  await ask(member, `GET ${image}/file`, { status: 204 })
  await ask(member, `POST ${image}/import`, { body: { method: { name: 'web-download' } }, status: 400 })
  await ask(api.stranger, `POST ${image}/import`, { ...direct, status: 404 })
  await ask(member, `POST ${image}/import`, direct)
  expect((await ask(member, `GET ${image}`)).body).toMatchObject({ status: 'active', size: bytes.body.length })
  expect((await ask(member, `GET ${image}/file`)).body).toBe(bytes.body)
  await ask(member, `PUT ${image}/stage`, { ...bytes, status: 409 })
  await ask(member, `DELETE ${image}`)
}, 60_000)

test('what the service says of itself', async () => {
  await each(ask, api.nobody, ['GET /image/', 'GET /image/versions'])
  const looks = ['schemas/image', 'schemas/images', 'schemas/member', 'schemas/members', 'info/import']
  await each(
    ask,
    api.member,
    looks.map((path) => `GET ${at}/${path}`),
  )
})

test('no route was left out', () => {
  expect(unseen(api.book, images)).toEqual([])
})
