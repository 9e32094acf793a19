/** A connection to a bridge, kept: a process of ovs-ofctl for each change would cost more than the change. */
import { connect, type Socket } from 'node:net'
import { PartSilent, Unavailable } from '../../core/errors.ts'
import { barrier, bundleAdd, bundleControl, framed, hello, types, type Message } from './messages.ts'

const headBytes = 8
const retryMs = 25
const answerMs = 20_000

/** The switch refused a message: what its error says is of two numbers. Source: OpenFlow Switch Specification 1.4, 7.5.4 */
export class OpenFlowRefusal extends Unavailable {
  readonly code: string

  constructor(body: Buffer) {
    const code = `${body.readUInt16BE(0)}/${body.readUInt16BE(2)}`
    super(`Open vSwitch did not take flows: OpenFlow error ${code}`)
    this.code = code
  }
}

interface Asked {
  /** numbers of the messages that an error may be about, and of the one whose answer ends the wait */
  readonly first: number
  readonly last: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class OpenFlowConnection {
  readonly #path: string
  readonly #onBack: () => void
  #opened: Promise<Socket> | null = null
  #retry: NodeJS.Timeout | null = null
  #asked: Asked[] = []
  #lastId = 1
  #isKept = false
  #wasLost = false
  #received = Buffer.alloc(0)

  /**
   * @param path the bridge's management socket
   * @param onBack called each time that a lost switch answers again, when the connection is kept
   */
  constructor(path: string, onBack: () => void) {
    this.#path = path
    this.#onBack = onBack
  }

  /** From now on it is opened anew whenever it is lost. */
  keep(): void {
    this.#isKept = true
    void this.#open().catch(() => undefined)
  }

  close(): void {
    this.#isKept = false
    if (this.#retry) clearTimeout(this.#retry)
    void this.#opened?.then((socket) => socket.destroy()).catch(() => undefined)
  }

  /** All of these are done, in this order, when this returns, or none. @throws OpenFlowRefusal */
  async bundle(messages: readonly Message[]): Promise<void> {
    const bundle = this.#number(1)
    await this.#ask([
      bundleControl(bundle, 'open'),
      ...messages.map((message) => (id: number) => bundleAdd(bundle, message, id)),
      bundleControl(bundle, 'close'),
    ]).catch(async (error: unknown) => {
      if (error instanceof OpenFlowRefusal) await this.#ask([bundleControl(bundle, 'discard')]).catch(() => undefined)
      throw error
    })
    await this.#ask([bundleControl(bundle, 'commit')])
  }

  /** It is done when this returns. @throws OpenFlowRefusal */
  async tell(message: Message): Promise<void> {
    await this.#ask([message, barrier])
  }

  /** The answer to the last one, or an error about any of them, ends the wait. */
  async #ask(messages: readonly (Message | ((id: number) => Message))[]): Promise<void> {
    const socket = await this.#open()
    const first = this.#number(messages.length)
    const last = first + messages.length - 1
    await new Promise<void>((resolve, reject) => {
      const silent = new PartSilent(`ovs-vswitchd did not answer within ${answerMs / 1000} s (${this.#path})`)
      const timer = setTimeout(() => this.#settle(last, silent), answerMs)
      const ended = (then: () => void): void => {
        clearTimeout(timer)
        then()
      }
      this.#asked.push({ first, last, resolve: () => ended(resolve), reject: (error) => ended(() => reject(error)) })
      const frames = messages.map((one, index) => {
        const id = first + index
        return framed(typeof one === 'function' ? one(id) : one, id)
      })
      socket.write(Buffer.concat(frames))
    })
  }

  #number(count: number): number {
    const first = this.#lastId + 1
    this.#lastId += count
    return first
  }

  #settle(id: number, error: Error | null): void {
    const found = this.#asked.find(({ first, last }) => id >= first && id <= last)
    if (!found || (error === null && id !== found.last)) return
    this.#asked = this.#asked.filter((one) => one !== found)
    if (error) found.reject(error)
    else found.resolve()
  }

  #open(): Promise<Socket> {
    return (this.#opened ??= this.#connect())
  }

  async #connect(): Promise<Socket> {
    const socket = connect(this.#path)
    const opened = new Promise<Socket>((resolve, reject) => {
      socket.once('connect', () => {
        this.#received = Buffer.alloc(0)
        socket.write(framed(hello, 1))
        resolve(socket)
        if (this.#wasLost) this.#onBack()
        this.#wasLost = false
      })
      socket.once('error', (error) =>
        reject(new PartSilent(`Open vSwitch does not answer at ${this.#path}: ${error.message}`, { cause: error })),
      )
    })
    socket.unref()
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => this.#receive(socket, chunk))
    socket.on('close', () => this.#lost())
    return await opened
  }

  #lost(): void {
    this.#opened = null
    const asked = this.#asked
    this.#asked = []
    for (const { reject } of asked) reject(new PartSilent(`Open vSwitch closed the connection (${this.#path})`))
    if (!this.#isKept) return
    this.#wasLost = true
    this.#retry = setTimeout(() => void this.#open().catch(() => undefined), retryMs)
    this.#retry.unref()
  }

  #receive(socket: Socket, chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    while (this.#received.length >= headBytes) {
      const length = this.#received.readUInt16BE(2)
      if (length < headBytes || this.#received.length < length) return
      const message = this.#received.subarray(0, length)
      this.#received = this.#received.subarray(length)
      this.#hear(socket, message)
    }
  }

  #hear(socket: Socket, message: Buffer): void {
    const [type, id, body] = [message.readUInt8(1), message.readUInt32BE(4), message.subarray(headBytes)]
    if (type === types.echoRequest) socket.write(framed({ type: types.echoReply, body }, id))
    else if (type === types.error) this.#settle(id, new OpenFlowRefusal(body))
    else if (type === types.bundleControl || type === types.barrierReply) this.#settle(id, null)
  }
}
