/** Tells when ovs-vswitchd is there again: it forgets all flows when it ends. */
import { connect, type Socket } from 'node:net'

/** OFPT_HELLO of OpenFlow 1.4. Source: OpenFlow Switch Specification 1.4, 7.5.1 */
const hello = Buffer.from('0500000800000001', 'hex')
const retryMs = 25

/** A connection to a bridge's management socket, kept for nothing but its end. */
export class SwitchWatch {
  readonly #path: string
  readonly #onBack: () => void
  #socket: Socket | null = null
  #retry: NodeJS.Timeout | null = null
  #isClosed = false
  #wasLost = false

  /** @param onBack called each time that a lost switch answers again */
  constructor(path: string, onBack: () => void) {
    this.#path = path
    this.#onBack = onBack
    this.#open()
  }

  close(): void {
    this.#isClosed = true
    if (this.#retry) clearTimeout(this.#retry)
    this.#socket?.destroy()
  }

  #open(): void {
    const socket = connect(this.#path)
    this.#socket = socket
    socket.unref()
    socket.on('connect', () => {
      socket.write(hello)
      if (this.#wasLost) this.#onBack()
      this.#wasLost = false
    })
    // What it says is of no interest, and unread it would fill the pipe.
    socket.resume()
    socket.on('error', () => undefined)
    socket.on('close', () => this.#lost())
  }

  #lost(): void {
    if (this.#isClosed) return
    this.#wasLost = true
    this.#retry = setTimeout(() => this.#open(), retryMs)
    this.#retry.unref()
  }
}
