/** Those who know what the network does not: the resolvers of its subnet, or the host's. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createConnection } from 'node:net'

const port = 53
const timeoutMs = 1500
/** One that is silent is left alone for so long: guests are told at once. */
const restMs = 30_000
const lengthBytes = 2

export type Transport = 'udp' | 'tcp'

async function overUdp(resolver: string, query: Buffer): Promise<Buffer> {
  const socket = createSocket(resolver.includes(':') ? 'udp6' : 'udp4')
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    // Connected: a closed port is told at once, and only the resolver is heard.
    socket.connect(port, resolver)
    await once(socket, 'connect', { signal })
    const answered = once(socket, 'message', { signal })
    socket.send(query)
    const message: unknown = (await answered)[0]
    if (!Buffer.isBuffer(message)) throw new Error(`${resolver} said nothing`)
    return message
  } finally {
    socket.close()
  }
}

async function overTcp(resolver: string, query: Buffer): Promise<Buffer> {
  const socket = createConnection({ host: resolver, port })
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${resolver} is silent`)))
  try {
    await once(socket, 'connect')
    socket.write(framed(query))
    let received = Buffer.alloc(0)
    for await (const piece of socket) {
      received = Buffer.concat([received, Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece))])
      const [message] = framesIn(received).frames
      if (message) return message
    }
    throw new Error(`${resolver} hung up`)
  } finally {
    socket.destroy()
  }
}

/** A message as TCP carries it: behind its length. Source: RFC 1035, section 4.2.2 */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

/** The whole messages of a stream, and what is left of it. */
export function framesIn(stream: Buffer): { readonly frames: readonly Buffer[]; readonly rest: Buffer } {
  const frames: Buffer[] = []
  let rest = stream
  while (rest.length >= lengthBytes && rest.length >= lengthBytes + rest.readUInt16BE()) {
    const end = lengthBytes + rest.readUInt16BE()
    frames.push(rest.subarray(lengthBytes, end))
    rest = rest.subarray(end)
  }
  return { frames, rest }
}

export class Resolvers {
  readonly #restingUntil = new Map<string, number>()

  /** The answer of the first that gives one; null when there is none that does. */
  async ask(resolvers: readonly string[], query: Buffer, transport: Transport): Promise<Buffer | null> {
    for (const resolver of resolvers) {
      if ((this.#restingUntil.get(resolver) ?? 0) > performance.now()) continue
      try {
        const message = await (transport === 'udp' ? overUdp(resolver, query) : overTcp(resolver, query))
        if (message.subarray(0, 2).equals(query.subarray(0, 2))) return message
      } catch (error) {
        if (!(error instanceof Error)) throw error
        this.#restingUntil.set(resolver, performance.now() + restMs)
      }
    }
    return null
  }
}
