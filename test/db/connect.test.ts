import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, isDatabaseAway, type Db } from '../../db/connect.ts'
import { freshDatabase, type TestDatabase } from '../world/index.ts'

let database: TestDatabase
let db: Db
beforeAll(async () => {
  database = await freshDatabase()
  db = connect(database.url, { size: 1, name: 'test', answerMs: 500 })
}, 120_000)
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

async function failureOf(statement: string): Promise<unknown> {
  try {
    await db.raw(statement)
    return null
  } catch (error) {
    return error
  }
}

test('a statement that gets no answer in time failed because the database is away, whoever gave it up', async () => {
  expect(isDatabaseAway(await failureOf('select pg_sleep(5)'))).toBe(true)
  expect(isDatabaseAway(await failureOf('set statement_timeout = 0; select pg_sleep(5)'))).toBe(true)
})

test('a statement that is wrong is no sign of a database that is away', async () => {
  const error = await failureOf('select no_such_column')
  expect(error).toBeInstanceOf(Error)
  expect(isDatabaseAway(error)).toBe(false)
})
