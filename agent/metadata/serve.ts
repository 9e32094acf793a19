/** The metadata service of this host's guests. Who asks is told by the port that the request came from, never by what it says. */
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import { findServer } from '../../db/servers.ts'
import { serverIdOfPort, vifsOf } from '../../db/vifs.ts'
import { metadataAddress } from '../../netns/index.ts'
import { DnsService } from '../dns/serve.ts'
import type { Host } from '../host.ts'
import { answer, type Guest } from './answer.ts'
import { isPasswordPath, passwordAnswer } from './password.ts'

const requestTimeoutMs = 10_000

async function guestAt({ db, wires }: Host, address: string): Promise<Guest | null> {
  const portId = wires.callerAt(address)
  const serverId = portId === null ? null : await serverIdOfPort(db, portId)
  const server = serverId === null ? null : await findServer(db, serverId)
  return server?.deletedAt === null ? { server, vifs: await vifsOf(db, server.id) } : null
}

async function respond(host: Host, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const end = (status: number, type: string, body: string | Buffer): void => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
  }
  const plain = 'text/plain; charset=utf-8'
  const path = new URL(request.url ?? '/', 'http://metadata').pathname
  const isPassword = isPasswordPath(path)
  if (request.method !== 'GET' && request.method !== 'HEAD' && !(isPassword && request.method === 'POST')) {
    end(405, plain, 'only to be read')
    return
  }
  try {
    const guest = await guestAt(host, request.socket.remoteAddress ?? '')
    if (guest && isPassword) {
      const { status, text } = await passwordAnswer(host, guest.server.id, request)
      end(status, plain, text)
      return
    }
    const found = guest ? answer(guest, path) : null
    if (found) end(200, found.type, found.body)
    else end(404, plain, 'not found')
  } catch (error) {
    host.log.error({ err: error }, 'metadata not served')
    end(500, plain, 'the metadata service failed: try again')
  }
}

interface Service {
  close(): void
}

/** Serves at the address that all guests of this host reach: pages, and the names of their network. */
export async function serveMetadata(host: Host): Promise<Service> {
  const { http, dnsUdp, dnsTcp } = await host.wires.listenForMetadata(`md-${host.config.namePrefix}`)
  const dns = new DnsService(host, metadataAddress)
  await dns.open({ udp: dnsUdp, tcp: dnsTcp })
  const server = await serveHttp(host, http)
  return {
    close: () => {
      server.close()
      dns.close()
    },
  }
}

async function serveHttp(host: Host, descriptor: number): Promise<HttpServer> {
  const server = createServer((request, response) => void respond(host, request, response))
  server.requestTimeout = requestTimeoutMs
  server.headersTimeout = requestTimeoutMs
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ fd: descriptor }, resolve)
  })
  return server
}
