import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { format, resolveConfig } from 'prettier'
import { schemaText, tablesText } from '../../db/describe.ts'
import { migrate } from '../../db/migrate.ts'
import { freshDatabase, type TestDatabase } from '../world/index.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('migrations/schema.sql is what the migrations make', async () => {
  expect(await schemaText(database.db)).toBe(await readFile('migrations/schema.sql', 'utf8'))
})

test('db/tables.ts is what the migrations make', async () => {
  const options = await resolveConfig('db/tables.ts')
  const text = await format(await tablesText(database.db), { ...options, parser: 'typescript' })
  expect(text).toBe(await readFile('db/tables.ts', 'utf8'))
})

test('a second migration changes nothing, and many at once do no harm', async () => {
  const runs = await Promise.all([1, 2, 3].map(() => migrate(database.db)))
  expect(runs).toEqual([[], [], []])
})
