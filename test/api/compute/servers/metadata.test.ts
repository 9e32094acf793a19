import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { boot, faultIn, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
let id: string
beforeAll(async () => {
  api = await startApi()
  id = await boot(api, { metadata: { first: '1' } })
})
afterAll(async () => {
  await api.stop()
})

async function ask(method: string, key = '', body?: unknown): Promise<Answer> {
  const asked = body === undefined ? {} : { body }
  return await api.member(`${method} /compute/v2.1/servers/${id}/metadata${key}`, asked)
}

test('metadata of a server that is being built cannot change', async () => {
  const answer = await ask('POST', '', { metadata: { a: 'b' } })
  expect([answer.status, faultIn(answer)[0]]).toEqual([409, 'conflictingRequest'])
})

test('items are shown, changed and gone', async () => {
  await place(api.db, id)
  expect((await ask('POST', '', { metadata: { a: 'b' } })).body).toEqual({ metadata: { first: '1', a: 'b' } })
  expect((await ask('GET', '/a')).body).toEqual({ meta: { a: 'b' } })
  expect((await ask('PUT', '/a', { meta: { a: 'c' } })).body).toEqual({ meta: { a: 'c' } })
  expect((await ask('DELETE', '/first')).status).toBe(204)
  expect((await ask('GET')).body).toEqual({ metadata: { a: 'c' } })
  expect((await ask('PUT', '', { metadata: { x: 'y' } })).body).toEqual({ metadata: { x: 'y' } })
  expect((await ask('GET', '/a')).status).toBe(404)
  expect((await ask('DELETE', '/a')).status).toBe(404)
  expect((await ask('GET', '/constructor')).status).toBe(404)
  expect((await ask('DELETE', '/toString')).status).toBe(404)
})

test('what does not fit is bad input, and what is too much is over quota', async () => {
  expect((await ask('PUT', '/a', { meta: { b: 'c' } })).status).toBe(400)
  expect((await ask('POST', '', { metadata: { ['k'.repeat(256)]: 'v' } })).status).toBe(400)
  expect((await ask('POST', '', { metadata: { a: 1 } })).status).toBe(400)
  expect((await ask('POST', '', { meta: {} })).status).toBe(400)
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, 'v']))
  expect((await ask('PUT', '', { metadata: many })).status).toBe(403)
})
