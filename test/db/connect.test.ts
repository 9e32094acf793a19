import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, isDatabaseAway } from '../../db/connect.ts'
import { freshDatabase, type TestDatabase } from '../world/index.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
}, 120_000)
afterAll(async () => {
  await database.drop()
})

/** A busy machine opens a connection late. */
const answerMs = 4000

async function failureOf(statement: string): Promise<unknown> {
  const db = connect(database.url, { size: 1, name: 'test', answerMs })
  try {
    await db.raw(statement)
    return null
  } catch (error) {
    return error
  } finally {
    await db.destroy()
  }
}

test('a statement that gets no answer in time failed because the database is away, whoever gave it up', async () => {
  expect(isDatabaseAway(await failureOf('select pg_sleep(10)'))).toBe(true)
  expect(isDatabaseAway(await failureOf('set statement_timeout = 0; select pg_sleep(10)'))).toBe(true)
}, 60_000)

test('a statement that is wrong is no sign of a database that is away', async () => {
  const error = await failureOf('select no_such_column')
  expect(error).toBeInstanceOf(Error)
  expect(isDatabaseAway(error)).toBe(false)
}, 60_000)
