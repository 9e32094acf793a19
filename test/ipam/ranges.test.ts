import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defaultRanges } from '../../ipam/ranges.ts'
import { freshDatabase, type TestDatabase } from '../world/index.ts'
import { newPool } from './pool.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('the gateway parts the default range', () => {
  const subnet = { id: '', cidr: '10.0.0.0/24', gateway: '10.0.0.100' }
  expect(defaultRanges(subnet)).toEqual([
    { first: '10.0.0.1', last: '10.0.0.99' },
    { first: '10.0.0.101', last: '10.0.0.254' },
  ])
})

test('a /31 has two addresses', () => {
  expect(defaultRanges({ id: '', cidr: '10.0.0.0/31', gateway: null })).toEqual([
    { first: '10.0.0.0', last: '10.0.0.1' },
  ])
})

test.each([
  [{ first: '10.9.0.10', last: '10.9.0.5' }, /ends before it begins/],
  [{ first: '10.9.0.200', last: '10.9.1.5' }, /spans beyond the subnet cidr/],
  [{ first: '10.9.0.1', last: '10.9.0.9' }, /conflicts with allocation pool/],
  [{ first: 'ten', last: '10.9.0.9' }, /is not valid/],
])('a bad range is named', async (range, reason) => {
  await expect(newPool(database.db, '10.9.0.0/24', { gateway: '10.9.0.1', ranges: [range] })).rejects.toThrow(reason)
})

test('overlapping ranges are refused', async () => {
  const ranges = [
    { first: '10.9.0.10', last: '10.9.0.20' },
    { first: '10.9.0.15', last: '10.9.0.30' },
  ]
  await expect(newPool(database.db, '10.9.0.0/24', { ranges })).rejects.toThrow(/overlapping/)
})
