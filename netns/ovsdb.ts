/** JSON-RPC with ovsdb-server over its unix socket. The only user of Open vSwitch. Source: RFC 7047. */
import { connect, type Socket } from 'node:net'
import { z } from 'zod'
import { PartSilent, Unavailable } from '../core/errors.ts'

const callTimeoutMs = 10_000

export type Operation = Readonly<Record<string, unknown>>

const reply = z.object({ id: z.unknown(), result: z.unknown().optional(), error: z.unknown().optional() })
const call = z.object({ id: z.unknown(), method: z.string(), params: z.array(z.unknown()) })
const results = z.array(
  z
    .object({
      rows: z.array(z.record(z.string(), z.unknown())).optional(),
      count: z.number().optional(),
      error: z.string().nullable().optional(),
      details: z.string().optional(),
    })
    .nullable(),
)
export type Results = z.output<typeof results>

/** The database refused a transaction: nothing of it has happened. */
export class OvsdbRefusal extends Unavailable {}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** Splits concatenated JSON objects: OVSDB puts nothing between its messages. */
class Splitter {
  #text = ''
  #depth = 0
  #scanned = 0
  #isInString = false
  #isEscaped = false

  push(chunk: string): readonly string[] {
    this.#text += chunk
    const messages: string[] = []
    for (; this.#scanned < this.#text.length; this.#scanned += 1) {
      if (!this.#endsAt(this.#text[this.#scanned])) continue
      messages.push(this.#text.slice(0, this.#scanned + 1))
      this.#text = this.#text.slice(this.#scanned + 1)
      this.#scanned = -1
    }
    return messages
  }

  #endsAt(character: string | undefined): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (character === '\\') this.#isEscaped = true
      else if (character === '"') this.#isInString = false
      return false
    }
    if (character === '"') this.#isInString = true
    else if (character === '{') this.#depth += 1
    else if (character === '}') return --this.#depth === 0
    return false
  }
}

/** A map of strings as OVSDB writes it. */
export function ovsMap(entries: Readonly<Record<string, string>>): readonly unknown[] {
  return ['map', Object.entries(entries)]
}

const ovsMapShape = z
  .tuple([z.literal('map'), z.array(z.tuple([z.string(), z.string()]))])
  .transform(([, pairs]) => Object.fromEntries(pairs))
/** An optional value is a set of none or one. */
const ovsOptional = <T extends z.ZodType>(inner: T) =>
  z.union([z.tuple([z.literal('set'), z.array(z.never())]).transform(() => null), inner])
const ovsUuid = z.tuple([z.literal('uuid'), z.string()]).transform(([, uuid]) => uuid)
const ovsUuids = z.union([
  ovsUuid.transform((uuid) => [uuid]),
  z.tuple([z.literal('set'), z.array(ovsUuid)]).transform(([, uuids]) => uuids),
])
export const shapes = { map: ovsMapShape, optional: ovsOptional, uuid: ovsUuid, uuids: ovsUuids }

/** One connection, made anew when it was lost. Every call has a timeout. */
export class Ovsdb {
  readonly #path: string
  readonly #waiting = new Map<number, Waiting>()
  #socket: Promise<Socket> | null = null
  #lastId = 0

  /** @param path of ovsdb-server's socket, such as /run/openvswitch/db.sock */
  constructor(path: string) {
    this.#path = path
  }

  /** @throws OvsdbRefusal with OVSDB's own words when one operation failed: then none has happened */
  async transact(operations: readonly Operation[]): Promise<Results> {
    const answer = results.parse(await this.#call('transact', ['Open_vSwitch', ...operations]))
    const failed = answer.find((one) => one?.error)
    if (failed?.error) throw new OvsdbRefusal(`Open vSwitch: ${failed.error}: ${failed.details ?? ''}`)
    return answer
  }

  /** The rows that one `select` finds, each parsed. */
  async select<T extends z.ZodType>(
    table: string,
    where: readonly unknown[],
    row: T,
    columns: readonly string[],
  ): Promise<readonly z.output<T>[]> {
    const [answer] = await this.transact([{ op: 'select', table, where, columns }])
    return z.array(row).parse(answer?.rows ?? [])
  }

  close(): void {
    void this.#socket?.then((socket) => socket.destroy()).catch(() => undefined)
    this.#socket = null
  }

  async #call(method: string, params: readonly unknown[]): Promise<unknown> {
    const socket = await (this.#socket ??= this.#connect())
    this.#lastId += 1
    const id = this.#lastId
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        reject(new PartSilent(`Open vSwitch did not answer within ${callTimeoutMs / 1000} s (${this.#path})`))
      }, callTimeoutMs)
      const settle =
        <A extends readonly unknown[]>(then: (...value: A) => void) =>
        (...value: A) => {
          clearTimeout(timer)
          then(...value)
        }
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
      socket.write(JSON.stringify({ method, params, id }))
    })
  }

  #connect(): Promise<Socket> {
    const opened = new Promise<Socket>((resolve, reject) => {
      const splitter = new Splitter()
      const socket = connect(this.#path)
      socket.setEncoding('utf8')
      socket.once('connect', () => resolve(socket))
      socket.on('data', (chunk) => splitter.push(chunk.toString()).forEach((text) => this.#receive(socket, text)))
      socket.on('error', (error) =>
        reject(new PartSilent(`Open vSwitch does not answer at ${this.#path}: ${error.message}`, { cause: error })),
      )
      socket.on('close', () => this.#lost(opened))
    })
    return opened
  }

  #lost(opened: Promise<Socket>): void {
    // What waits may already be waiting on the next connection.
    if (this.#socket !== null && this.#socket !== opened) return
    this.#socket = null
    for (const { reject } of this.#waiting.values())
      reject(new PartSilent(`Open vSwitch closed the connection (${this.#path})`))
    this.#waiting.clear()
  }

  #receive(socket: Socket, text: string): void {
    const message: unknown = JSON.parse(text)
    const request = call.safeParse(message)
    if (request.success) {
      if (request.data.method === 'echo')
        socket.write(JSON.stringify({ id: request.data.id, result: request.data.params, error: null }))
      return
    }
    const { id, result, error } = reply.parse(message)
    if (typeof id !== 'number') return
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error) waiting?.reject(new Unavailable(`Open vSwitch: ${JSON.stringify(error)}`))
    else waiting?.resolve(result)
  }
}
