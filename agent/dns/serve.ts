/** The DNS of this host's guests, beside the metadata service: who asks is told by the port that the question came by. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { getServers } from 'node:dns'
import { createServer, type Server, type Socket } from 'node:net'
import { messageOf } from '../../core/errors.ts'
import { addressesOfName, ownerOfAddress, resolversOfPort } from '../../db/guest-names.ts'
import type { Host } from '../host.ts'
import { answerFrom, questionIn, reply } from './answer.ts'
import { framed, framesIn, Resolvers, type Transport } from './resolvers.ts'

/** Questions that are worked on at once: a guest that asks without end is not to take all of the agent. */
const mostAtOnce = 128
const idleMs = 10_000
const mostBytes = 8192

/** Open sockets on which guests ask; the service takes them over. */
export interface DnsDescriptors {
  readonly udp: number
  readonly tcp: number
}

export class DnsService {
  readonly #host: Pick<Host, 'db' | 'wires' | 'log'>
  /** asked when a subnet names nobody */
  readonly #fallback: readonly string[]
  readonly #own: string
  readonly #resolvers = new Resolvers()
  readonly #sockets = new Set<Socket>()
  #udp: UdpSocket | null = null
  #tcp: Server | null = null
  #working = 0

  /** @param own the address that guests ask: never asked itself */
  constructor(host: Pick<Host, 'db' | 'wires' | 'log'>, own: string, fallback: readonly string[] = getServers()) {
    this.#host = host
    this.#own = own
    this.#fallback = fallback
  }

  /** @returns null when the question is dropped: it is none, or its asker is unknown */
  async answer(query: Buffer, from: string, transport: Transport): Promise<Buffer | null> {
    const asked = questionIn(query)
    const portId = this.#host.wires.callerAt(from)
    if (!asked || portId === null || this.#working >= mostAtOnce) return null
    this.#working += 1
    const { db, log } = this.#host
    const { packet, question } = asked
    try {
      const names = {
        addressesOf: (name: string) => addressesOfName(db, portId, name),
        ownerOf: (address: string) => ownerOfAddress(db, portId, address),
      }
      const ours = await answerFrom(names, packet, question)
      if (ours) return ours
      const named = (await resolversOfPort(db, portId)).filter((one) => one !== this.#own)
      const theirs = await this.#resolvers.ask(named.length > 0 ? named : this.#fallback, query, transport)
      return theirs ?? reply(packet, 'refused')
    } catch (error) {
      log.error({ portId, reason: messageOf(error) }, 'name not resolved')
      return reply(packet, 'serverFailure')
    } finally {
      this.#working -= 1
    }
  }

  /** Answers at these sockets from now on. */
  async open({ udp, tcp }: DnsDescriptors): Promise<void> {
    const datagrams = createSocket('udp4')
    datagrams.on('message', (query, { address, port }) => {
      void this.answer(query, address, 'udp').then((message) => {
        if (message) datagrams.send(message, port, address, () => undefined)
      })
    })
    const streams = createServer((socket) => this.#converse(socket))
    await Promise.all([
      new Promise<void>((resolve, reject) => {
        datagrams.once('error', reject)
        datagrams.bind({ fd: udp }, resolve)
      }),
      new Promise<void>((resolve, reject) => {
        streams.once('error', reject)
        streams.listen({ fd: tcp }, resolve)
      }),
    ])
    this.#udp = datagrams
    this.#tcp = streams
  }

  #converse(socket: Socket): void {
    this.#sockets.add(socket)
    let rest = Buffer.alloc(0)
    socket.setTimeout(idleMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (piece: Buffer) => {
      const found = framesIn(Buffer.concat([rest, piece]))
      rest = Buffer.from(found.rest)
      if (rest.length > mostBytes) socket.destroy()
      for (const query of found.frames)
        void this.answer(query, socket.remoteAddress ?? '', 'tcp').then((message) => {
          if (message && !socket.destroyed) socket.write(framed(message))
        })
    })
  }

  close(): void {
    this.#udp?.close()
    this.#tcp?.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
