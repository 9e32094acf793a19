import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { addHost, boot, faultIn, place, startApi, type TestApi } from '../../fixture.ts'

const traffic = { bytes: 1000, packets: 10, errors: 0, dropped: 1 }
const disk = { readBytes: 4096, readRequests: 1, writeBytes: 8192, writeRequests: 2 }
const figures = {
  guest: { cpuNanoseconds: 5_000_000, memoryUsedMiB: 20, memoryLimitMiB: 128, disk, uptimeSeconds: 7 },
  nics: [{ device: 'tap0', mac: 'fa:16:3e:00:00:01', received: traffic, sent: { ...traffic, bytes: 500 } }],
}

let api: TestApi
let agent: Server
let id: string
beforeAll(async () => {
  api = await startApi()
  id = await boot(api)
  // Says what an agent says: the agent's own figures have their own tests.
  agent = createServer((request, response) => {
    response.statusCode = request.url === `/servers/${id}/diagnostics` ? 200 : 404
    response.end(JSON.stringify(figures))
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

const path = () => `GET /compute/v2.1/servers/${id}/diagnostics`

test('before 2.48 figures have the names of Nova’s first driver', async () => {
  await place(api.db, id)
  const { status, body } = await api.admin(path())
  expect([status, body]).toEqual([
    200,
    {
      cpu0_time: 5_000_000,
      memory: 131_072,
      'memory-actual': 131_072,
      'memory-rss': 20_480,
      vda_read: 4096,
      vda_read_req: 1,
      vda_write: 8192,
      vda_write_req: 2,
      vda_errors: -1,
      tap0_rx: 1000,
      tap0_rx_packets: 10,
      tap0_rx_errors: 0,
      tap0_rx_drop: 1,
      tap0_tx: 500,
      tap0_tx_packets: 10,
      tap0_tx_errors: 0,
      tap0_tx_drop: 1,
    },
  ])
})

test('from 2.48 on they are an object of one shape', async () => {
  await place(api.db, id)
  const { body } = await api.admin(path(), { version: '2.48' })
  expect(body).toMatchObject({
    state: 'running',
    hypervisor: 'docker',
    uptime: 7,
    num_cpus: 1,
    num_nics: 1,
    num_disks: 1,
    memory_details: { maximum: 128, used: 20 },
    cpu_details: [{ time: 5_000_000 }],
    nic_details: [{ mac_address: 'fa:16:3e:00:00:01', rx_octets: 1000, tx_octets: 500 }],
    disk_details: [{ read_bytes: 4096, write_requests: 2 }],
  })
})

test('a server that does not run has none, and only administrators ask', async () => {
  await place(api.db, id, 'stopped')
  const answer = await api.admin(path())
  expect([answer.status, faultIn(answer)[1]]).toEqual([
    409,
    `Cannot 'get_diagnostics' instance ${id} while it is in power state 4`,
  ])
  expect((await api.member(path())).status).toBe(403)
})
