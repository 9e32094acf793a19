/** Every route of the administration of pools is asked, and its answer judged by what the service itself says of it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { lowest } from '../../../api/microversion.ts'
import { startApi, type TestApi } from '../fixture.ts'
import { contracts } from './index.ts'
import { each } from './life.ts'
import { unseen, walker } from './walk.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const at = '/ipam/v1'
const pool = `${at}/pools/dock`
const ask = walker(lowest)
const post = (path: string, body: unknown): Promise<unknown> => ask(api.admin, `POST ${path}`, { body })

test('a pool is made, changed, looked at and deleted, with its addresses', async () => {
  await post(`${at}/pools`, { name: 'dock', cidr: '10.40.0.0/28' })
  await ask(api.admin, `PATCH ${pool}`, { body: { warn_percent: 50 } })
  await post(`${pool}/exclude`, { first: '10.40.0.8', last: '10.40.0.11' })
  await post(`${pool}/grow`, { first: '10.40.0.8', last: '10.40.0.9' })
  await post(`${pool}/reservations`, { address: '10.40.0.4', name: 'web' })
  await ask(api.admin, `PATCH ${pool}/reservations/10.40.0.4`, { body: { name: 'mail' } })
  await post(`${pool}/import`, { csv: 'address,name,note\n10.40.0.5,ftp,old\n' })
  await ask(api.admin, `POST ${pool}/import`, { body: { csv: 'address,name,note\n10.99.0.5,x,y\n' }, status: 400 })
  await post(`${pool}/audit?probe=false`, undefined)
  const looks = ['/addresses', '/map', '/export', '/usage', '/audit?probe=false', ''].map((path) => `${pool}${path}`)
  const wide = ['pools', 'usage', 'addresses?name=mail'].map((path) => `${at}/${path}`)
  await each(
    ask,
    api.admin,
    [...looks, ...wide].map((path) => `GET ${path}`),
  )
  await each(ask, api.admin, [`DELETE ${pool}/addresses/10.40.0.4`, `DELETE ${pool}/addresses/10.40.0.5`])
  await post(`${at}/groups`, { name: 'docks', pools: ['dock'] })
  await each(ask, api.admin, [`GET ${at}/groups`, `GET ${at}/groups/docks`, `DELETE ${at}/groups/docks`])
  await ask(api.admin, `DELETE ${pool}`)
})

test('what the service says of itself', async () => {
  await each(ask, api.nobody, [`GET ${at}`, `GET ${at}/openapi.json`])
})

test('no route was left out', () => {
  const own = Object.entries(contracts).filter(([name]) => name.includes(' /ipam/'))
  expect(unseen(api.book, Object.fromEntries(own))).toEqual([])
})
