import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { boot, faultIn, place, startApi, type TestApi } from '../../fixture.ts'

let api: TestApi
let tags: string
beforeAll(async () => {
  api = await startApi()
  const id = await boot(api)
  await place(api.db, id)
  tags = `/compute/v2.1/servers/${id}/tags`
})
afterAll(async () => {
  await api.stop()
})

const version = '2.26'
const ask = (request: string, body?: unknown) =>
  api.member(request, body === undefined ? { version } : { version, body })

test('tags are put on, looked at, and taken off one by one', async () => {
  expect((await ask(`GET ${tags}`)).body).toEqual({ tags: [] })
  const added = await ask(`PUT ${tags}/red`)
  expect([added.status, added.body]).toEqual([201, undefined])
  expect(added.headers.get('location')).toBe(`${api.url}${tags}/red`)
  expect((await ask(`PUT ${tags}/red`)).status).toBe(204)
  expect((await ask(`GET ${tags}/red`)).status).toBe(204)
  expect((await ask(`DELETE ${tags}/red`)).status).toBe(204)
  expect((await ask(`DELETE ${tags}/red`)).status).toBe(404)
  expect((await ask(`GET ${tags}/red`)).status).toBe(404)
})

test('all tags are replaced at once, each counted once, and servers are found by them', async () => {
  expect((await ask(`PUT ${tags}`, { tags: ['a', 'b', 'a'] })).body).toEqual({ tags: ['a', 'b'] })
  expect((await ask('GET /compute/v2.1/servers?tags=a,b')).body).toMatchObject({ servers: [{}] })
  expect((await ask('GET /compute/v2.1/servers?tags=c')).body).toEqual({ servers: [] })
  expect((await ask(`DELETE ${tags}`)).status).toBe(204)
  expect((await ask(`GET ${tags}`)).body).toEqual({ tags: [] })
})

test('a tag that is too long, one too many, a stranger and a reader are refused', async () => {
  expect((await ask(`PUT ${tags}/${'x'.repeat(61)}`)).status).toBe(400)
  expect((await ask(`PUT ${tags}/a,b`)).status).toBe(400)
  expect((await ask(`PUT ${tags}`, { tags: [''] })).status).toBe(400)
  const full = Array.from({ length: 50 }, (_, index) => `t${index}`)
  expect((await ask(`PUT ${tags}`, { tags: [...full, 'more'] })).status).toBe(400)
  expect((await ask(`PUT ${tags}`, { tags: full })).status).toBe(200)
  expect(faultIn(await ask(`PUT ${tags}/more`))[1]).toContain('50')
  expect((await ask(`PUT ${tags}/t1`)).status).toBe(204)
  expect((await api.stranger(`GET ${tags}`, { version })).status).toBe(404)
  expect((await api.reader(`DELETE ${tags}`, { version })).status).toBe(403)
  expect((await api.member(`GET ${tags}`, { version: '2.25' })).status).toBe(404)
})

test('a server that is being built keeps its tags', async () => {
  const id = await boot(api)
  expect((await ask(`PUT /compute/v2.1/servers/${id}/tags/early`)).status).toBe(409)
})
