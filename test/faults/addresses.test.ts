/** Many at once want addresses of one small pool: each gets another one, and whoever comes too late is told so in one sentence. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { giveBack } from '../../ipam/give-back.ts'
import { until } from '../world/index.ts'
import { bootBody, faultIn, startApi, type Answer, type TestApi } from '../api/fixture.ts'
import { record } from './record.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
}, 120_000)
afterAll(async () => {
  await api.stop()
})

const made = z.object({ server: z.object({ id: z.string() }) })

/** A network of the member's with one subnet, freed addresses of which rest no time. */
async function network(cidr: string): Promise<string> {
  const body = { network: { name: cidr } }
  const { body: answer } = await api.member('POST /networking/v2.0/networks', { body })
  const { id } = z.object({ network: z.object({ id: z.string() }) }).parse(answer).network
  const subnet = { network_id: id, cidr, ip_version: 4, name: cidr }
  const { status } = await api.member('POST /networking/v2.0/subnets', { body: { subnet } })
  expect(status).toBe(201)
  await api.db('subnets').where({ networkId: id }).update({ quarantineSeconds: 0 })
  return id
}

async function boot(networkId: string, address?: string): Promise<Answer> {
  const networks = [{ uuid: networkId, ...(address === undefined ? {} : { fixed_ip: address }) }]
  const headers = { 'Idempotency-Key': randomUUID() }
  const ask = () => api.member('POST /compute/v2.1/servers', { body: bootBody(api, { networks }), headers })
  // As clients do who get no reply in time from a busy API, or are asked to come again.
  return await until(
    async () => {
      const answer = await ask()
      return answer.status === 503 ? null : answer
    },
    { timeoutMs: 240_000 },
  )
}

async function bootMany(networkId: string, count: number): Promise<readonly Answer[]> {
  return await Promise.all(Array.from({ length: count }, () => boot(networkId)))
}

function idsOf(answers: readonly Answer[]): readonly string[] {
  return answers.filter(({ status }) => status === 202).map(({ body }) => made.parse(body).server.id)
}

/** As the scheduler does for a server without a host. */
async function deleteAll(ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => api.db.transaction((trx) => giveBack(trx, id))))
}

async function used(networkId: string): Promise<readonly string[]> {
  const { rows } = await api.db.raw<{ rows: { address: string }[] }>(
    `select host(a.address) as address from addresses a join subnets s on s.id = a.subnet_id
     where s.network_id = ? and a.state = 'used'`,
    [networkId],
  )
  return rows.map(({ address }) => address)
}

test('253 creates at once on a /24, three times over, get 253 addresses each time', async () => {
  const id = await network('10.24.0.0/24')
  const started = performance.now()
  for (let round = 0; round < 3; round++) {
    const answers = await bootMany(id, 253)
    const ids = idsOf(answers)
    expect(answers.filter(({ status }) => status !== 202).map(({ body }) => body)).toEqual([])
    expect(new Set(await used(id)).size).toBe(253)
    const late = await boot(id)
    expect(late.status).toBe(409)
    expect(faultIn(late)[1]).toMatch(/^No more IP addresses available/)
    await deleteAll(ids)
    expect(await used(id)).toEqual([])
  }
  record({ fault: '253 creates at once on a /24, three times', healMs: performance.now() - started, lost: 0, left: 0 })
}, 300_000)

test('more creates than a /29 has addresses: as many succeed as there are, the rest is told why, and nothing of it is left', async () => {
  const id = await network('10.29.0.0/29')
  const answers = await bootMany(id, 20)
  expect(idsOf(answers)).toHaveLength(5)
  const refused = answers.filter(({ status }) => status !== 202)
  expect(new Set(refused.map((one) => faultIn(one)[1].replace(/\(.*/, ''))).size).toBe(1)
  expect(await api.db('ports').where({ networkId: id })).toHaveLength(5)
  await deleteAll(idsOf(answers))
}, 120_000)

test('callers for one named address, and callers for any: one has the named one, none is doubled', async () => {
  const id = await network('10.30.0.0/28')
  const answers = await Promise.all([
    ...Array.from({ length: 6 }, () => boot(id, '10.30.0.7')),
    ...Array.from({ length: 12 }, () => boot(id)),
  ])
  const addresses = await used(id)
  expect(new Set(addresses).size).toBe(addresses.length)
  expect(addresses).toContain('10.30.0.7')
  expect(idsOf(answers)).toHaveLength(13)
  await deleteAll(idsOf(answers))
}, 120_000)

test('addresses released while others are asked for are neither lost nor doubled', async () => {
  const id = await network('10.31.0.0/28')
  let ids = idsOf(await bootMany(id, 13))
  expect(ids).toHaveLength(13)
  for (let round = 0; round < 5; round++) {
    const [away, kept] = [ids.slice(0, 6), ids.slice(6)]
    const [answers] = await Promise.all([bootMany(id, 6), deleteAll(away)])
    const addresses = await used(id)
    expect(new Set(addresses).size).toBe(addresses.length)
    ids = [...kept, ...idsOf(answers)]
    const rest = idsOf(await bootMany(id, 13 - ids.length))
    ids = [...ids, ...rest]
    expect(ids).toHaveLength(13)
  }
  await deleteAll(ids)
}, 120_000)

test('a create that is repeated with its Idempotency-Key makes no second server, whenever it comes', async () => {
  const key = randomUUID()
  const ask = (name: string): Promise<Answer> =>
    api.member('POST /compute/v2.1/servers', { body: bootBody(api, { name }), headers: { 'Idempotency-Key': key } })
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask('once')))
  expect(new Set(idsOf(answers)).size).toBe(1)
  expect(idsOf([await ask('once')])).toEqual(idsOf(answers).slice(0, 1))
  expect(await api.db('servers').where({ name: 'once' })).toHaveLength(1)
  const other = await ask('other')
  expect(other.status).toBe(400)
  expect(faultIn(other)[1]).toContain('was used for another request')
  await deleteAll(idsOf(answers).slice(0, 1))
}, 60_000)
