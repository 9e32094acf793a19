/** The small listener through which the API reads what only this host has: consoles and figures of guests, ports, networks, images. */
import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { messageOf } from '../core/errors.ts'
import { diagnose } from './diagnose.ts'
import type { Host } from './host.ts'
import { answerOfImages } from './images.ts'
import { answerOfPort } from './ports.ts'
import { answerOfNetwork } from './sightings.ts'

const path = /^\/servers\/([0-9a-f-]{36})\/(console|diagnostics)$/
const query = z.object({ lines: z.coerce.number().int().min(0).nullable().default(null) })

function isAuthorized(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '')
  const expected = Buffer.from(`Bearer ${token}`)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

async function answer(host: Host, url: URL): Promise<{ readonly status: number; readonly text: string }> {
  const found =
    (await answerOfPort(host, url)) ?? (await answerOfNetwork(host, url)) ?? (await answerOfImages(host, url))
  if (found) return found
  const [, serverId, what] = path.exec(url.pathname) ?? []
  const parsed = query.safeParse(Object.fromEntries(url.searchParams))
  if (serverId === undefined) return { status: 404, text: 'not found' }
  if (what === 'diagnostics') return { status: 200, text: JSON.stringify(await diagnose(host, serverId)) }
  if (!parsed.success) return { status: 400, text: 'lines: a whole number' }
  return { status: 200, text: await host.driver.consoleLog(serverId, parsed.data.lines) }
}

async function respond(
  host: Host,
  token: string,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const send = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
  }
  if (!isAuthorized(request, token)) {
    send(401, 'unauthorized')
    return
  }
  try {
    const { status, text } = await answer(host, new URL(request.url ?? '/', 'http://agent'))
    send(status, text)
  } catch (error) {
    host.log.error({ url: request.url, err: error }, 'the API was not answered')
    send(500, messageOf(error))
  }
}

/** Listens at a free port. @returns the server and its URL */
export async function answerApi(
  host: Host,
  token: string,
): Promise<{ readonly server: HttpServer; readonly url: string }> {
  const server = createServer((request, response) => void respond(host, token, { request, response }))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host.config.agentAddress, resolve)
  })
  const address = z.object({ port: z.number() }).parse(server.address())
  return { server, url: `http://${host.config.agentAddress}:${address.port}` }
}
