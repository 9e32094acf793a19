/** What an agent says, for requests that the API hands on to it: the agent itself has its own tests. */
import { createServer } from 'node:http'
import { z } from 'zod'
import type { Db } from '../../../db/connect.ts'
import { addHost } from '../fixture.ts'

const traffic = { bytes: 1000, packets: 10, errors: 0, dropped: 1 }
const disk = { readBytes: 4096, readRequests: 1, writeBytes: 8192, writeRequests: 2 }
const figures = {
  guest: { cpuNanoseconds: 5_000_000, memoryUsedMiB: 20, memoryLimitMiB: 128, disk, uptimeSeconds: 7 },
  nics: [{ device: 'tap0', mac: 'fa:16:3e:00:00:01', received: traffic, sent: traffic }],
}

/** Two hosts, one of which answers. */
export async function addHosts(db: Db): Promise<{ readonly close: () => void }> {
  const agent = createServer((request, response) => {
    response.end(request.url?.endsWith('/diagnostics') ? JSON.stringify(figures) : 'line')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => agent.once('listening', resolve))
  const { port } = z.object({ port: z.number() }).parse(agent.address())
  await addHost(db, 'host-1', { url: `http://127.0.0.1:${port}`, token: 'agent secret' })
  await addHost(db, 'host-2')
  return {
    close: () => {
      agent.closeAllConnections()
      agent.close()
    },
  }
}
