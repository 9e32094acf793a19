import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { addHost, boot, faultIn, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
let agent: Server
let id: string
beforeAll(async () => {
  api = await startApi()
  id = await boot(api)
  // Says what it was asked: the agent itself has its own tests.
  agent = createServer((request, response) => {
    response.statusCode = request.headers.authorization === 'Bearer agent secret' ? 200 : 401
    response.end(`asked ${request.url ?? ''}`)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => agent.once('listening', resolve))
  const { port } = z.object({ port: z.number() }).parse(agent.address())
  await addHost(api.db, 'host-1', { url: `http://127.0.0.1:${port}`, token: 'agent secret' })
})
afterAll(async () => {
  agent.closeAllConnections()
  agent.close()
  await api.stop()
})

async function read(length: unknown): Promise<Answer> {
  const body = { 'os-getConsoleOutput': { length } }
  return await api.member(`POST /compute/v2.1/servers/${id}/action`, { body })
}

test('a server without a host, or being built there, has no console yet', async () => {
  const unplaced = await read(5)
  expect([unplaced.status, faultIn(unplaced)[1]]).toEqual([409, `Instance ${id} is not ready`])
  await place(api.db, id, 'building')
  expect((await read(5)).status).toBe(409)
})

test.each([
  [5, '?lines=5'],
  ['7', '?lines=7'],
  [0, '?lines=0'],
  [-1, ''],
  ['', ''],
  [null, ''],
  [undefined, ''],
])('the console is the agent’s, of length %p', async (length, query) => {
  await place(api.db, id)
  const { status, body } = await read(length)
  expect([status, body]).toEqual([200, { output: `asked /servers/${id}/console${query}` }])
})

test('a host that does not answer is said to be unavailable', async () => {
  await api.db('hosts').update({ agentToken: 'stale' })
  const answer = await read(5)
  expect([answer.status, faultIn(answer)[0]]).toEqual([503, 'serviceUnavailable'])
})
