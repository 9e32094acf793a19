import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Unavailable } from '../../core/errors.ts'
import { addImage } from '../../db/images.ts'
import { publishImages } from '../../machine/publish.ts'
import { freshDatabase, registry, type TestDatabase } from '../world/index.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const error = new Unavailable('no mirror answers')

test('where a newer guest image cannot be built the one before stays, and a cloud that has none is told why', async () => {
  const { db } = database
  const older = await addImage(db, {
    name: 'debian-12',
    reference: `images/debian-12@sha256:${'0'.repeat(64)}`,
    sizeBytes: 1,
    properties: { berth_recipe: 'an older one' },
  })
  expect(await publishImages(await registry(), db, [{ name: 'debian-12', error }])).toBe(
    'debian-12 as it was (no mirror answers)',
  )
  expect(await db('images').where({ status: 'active', visibility: 'public' }).select('id', 'name')).toEqual([
    { id: older.id, name: 'debian-12' },
  ])
  await expect(publishImages(await registry(), db, [{ name: 'debian-12-small', error }])).rejects.toThrow(error)
})

test('an image of somebody else with the name of a guest image does not stand for it', async () => {
  const { db } = database
  await db('images').where({ name: 'debian-12' }).update({ visibility: 'private' })
  await expect(publishImages(await registry(), db, [{ name: 'debian-12', error }])).rejects.toThrow(error)
})
