/** Guessing passwords is slow; who knows the own one is let in. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { login, startApi, type Answer, type TestApi } from '../fixture.ts'

const loginFailures = 3
const loginWindowSeconds = 600
/** Of one address, or of one user. */
const many = 10 * loginFailures

let api: TestApi
beforeAll(async () => {
  api = await startApi({ loginFailures, loginWindowSeconds })
})
afterEach(() => api.db('login_failures').delete())
afterAll(() => api.stop())

function logIn(user: string, password?: string): Promise<Answer> {
  return api.nobody('POST /identity/v3/auth/tokens', { body: login(user, 'shop', password) })
}

async function guesses(users: readonly string[]): Promise<readonly number[]> {
  const statuses: number[] = []
  for (const user of users) statuses.push((await logIn(user, 'a guess')).status)
  return statuses
}

test('after some guesses the right password is refused too, for as long as is said; other users of that address are let in', async () => {
  expect(await guesses(['mia', 'mia', 'mia'])).toEqual([401, 401, 401])
  const { status, headers } = await logIn('mia')
  expect(status).toBe(429)
  const seconds = Number(headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(loginWindowSeconds - 120)
  expect(seconds).toBeLessThanOrEqual(loginWindowSeconds)
  expect((await logIn('rita')).status).toBe(201)
  await api.db('login_failures').update({ forgottenAt: api.db.fn.now() })
  expect((await logIn('mia')).status).toBe(201)
})

test('who gets in has its failures forgotten', async () => {
  expect(await guesses(['mia', 'mia'])).toEqual([401, 401])
  expect((await logIn('mia')).status).toBe(201)
  expect(await guesses(['mia', 'mia'])).toEqual([401, 401])
  expect((await logIn('mia')).status).toBe(201)
})

test('guesses that begin together are counted together: no more of them are tried than of those that come one by one', async () => {
  const together = await Promise.all([...Array.from({ length: many }, () => logIn('mia', 'a guess')), logIn('mia')])
  expect(together.filter(({ status }) => status === 201)).toEqual([])
  expect((await logIn('mia')).status).toBe(429)
})

test('an address that tries one user after the other waits, whoever it says that it is', async () => {
  const users = Array.from({ length: many }, (_, index) => `user-${index}`)
  expect(new Set(await guesses(users))).toEqual(new Set([401]))
  expect((await logIn('rita')).status).toBe(429)
})
