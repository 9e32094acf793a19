/** Where other agents read the disks of this host's guests. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server as HttpsServer } from 'node:https'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { messageOf } from '../../core/errors.ts'
import { reach } from '../../core/failpoints.ts'
import type { Host } from '../host.ts'
import { keyOfLink, tlsOfLink } from './link.ts'

const path = /^\/disks\/([0-9a-f-]{36})$/

const part = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('all') }),
  z.object({ kind: z.literal('newer'), seconds: z.number() }),
  z.object({ kind: z.literal('these'), paths: z.array(z.string()).min(1) }),
])
/** What changed in this second may change once more with the same time. */
const marginSeconds = 1

/** GET: the listing. POST: an archive of the part that the body names. */
async function answer({ config, driver }: Host, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, serverId] = path.exec(request.url ?? '') ?? []
  const [disk, guest] =
    serverId === undefined ? [null, null] : await Promise.all([driver.disk(serverId), driver.inspect(serverId)])
  if (!disk || !guest) {
    response.writeHead(404).end('there is no such disk')
    return
  }
  if (request.method === 'GET') {
    const [isLive, seconds] = [guest.state === 'running', Date.now() / 1000 - marginSeconds]
    const entries = await disk.list(isLive)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ image: disk.image, isLive, seconds, entries }))
    return
  }
  const wanted = part.parse(await json(request))
  response.writeHead(200, { 'content-type': 'application/x-tar' }).flushHeaders()
  reach(config, 'agent.disk.read')
  await pipeline(disk.read(wanted), response)
}

/** Listens at a free port. @returns the server, and its address for the host's row */
export async function serveDisks(
  host: Host,
  agentToken: string,
): Promise<{ readonly server: HttpsServer; readonly address: string }> {
  const { config, log } = host
  const key = keyOfLink(agentToken)
  const server = createServer({ ...tlsOfLink, pskCallback: () => key }, (request, response) => {
    answer(host, request, response).catch((error: unknown) => {
      log.warn({ url: request.url, reason: messageOf(error) }, 'disk not read to its end')
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end(messageOf(error))
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, config.agentAddress, resolve)
  })
  const { port } = z.object({ port: z.number() }).parse(server.address())
  return { server, address: `${config.agentAddress}:${port}` }
}
