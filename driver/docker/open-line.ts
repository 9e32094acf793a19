/** What a running guest has written after its last line break. The engine's log has whole lines only, and a log-in prompt is none. */
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'

/** The engine writes down what is longer than this, even without an end of the line. */
const loggedBytes = 16_384

/** No start waits longer for its listener. */
const heardMs = 5000

/** @returns what is unwritten of `rest` and `chunk`, in memory of its own */
function unwritten(rest: Buffer, chunk: Buffer): Buffer {
  const last = chunk.lastIndexOf(10)
  const line = last === -1 ? Buffer.concat([rest, chunk]) : chunk.subarray(last + 1)
  return Buffer.from(line.subarray(line.length - (line.length % loggedBytes)))
}

export function lastLines(text: string, count: number | null): string {
  if (count === null) return text
  const starts = [0, ...Array.from(text.matchAll(/\n(?=.|\n)/gs), ({ index }) => index + 1)]
  return text.slice(starts.at(-count) ?? 0)
}

/** @returns none where the engine does not answer: who follows it learns that by its events */
export async function runningIds(docker: Docker, label: string): Promise<readonly string[]> {
  const rows = await docker.listContainers({ filters: { label: [label] } }).catch(() => [])
  return rows.map(({ Id }) => Id)
}

interface Listener {
  line: Buffer
}

/** Who listens to the guests of an engine, and until when. */
interface Ear {
  /** without a timeout: a quiet hour is no failure */
  readonly docker: Docker
  readonly signal: AbortSignal
}

export class OpenLines {
  /** of each container, those that listen longest first: one of its last run may end a little after the next has begun */
  readonly #listeners = new Map<string, Set<Listener>>()
  /** the containers that are heard already, and whose start the engine has yet to tell */
  readonly #awaited = new Set<string>()
  #ear: Ear | null = null

  /** From now on guests are heard, until the signal of `ear` aborts. */
  listen(ear: Ear): void {
    this.#ear = ear
  }

  /** Hears a guest from its first word on: what it writes before is lost until the line ends. Returns when it may start. */
  async beforeStart(containerId: string): Promise<void> {
    if (!this.#ear || this.#ear.signal.aborted) return
    this.#awaited.add(containerId)
    const { promise: heard, resolve } = Promise.withResolvers<undefined>()
    void this.#follow(containerId, this.#ear, () => resolve(undefined)).finally(() => {
      this.#awaited.delete(containerId)
      resolve(undefined)
    })
    await Promise.race([heard, sleep(heardMs, undefined, { ref: false })])
  }

  /** Hears a guest that the engine says has started. */
  started(containerId: string): void {
    if (this.#ear && !this.#awaited.delete(containerId)) void this.#follow(containerId, this.#ear)
  }

  /** Listens to a guest's console until it ends, the engine goes, or `signal` aborts; never rejects. */
  async #follow(id: string, { docker, signal }: Ear, onHeard?: () => void): Promise<void> {
    const listener: Listener = { line: Buffer.alloc(0) }
    const beside = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, beside.add(listener))
    try {
      const options = { stream: true, stdout: true, stderr: true, abortSignal: signal }
      const console = await docker.getContainer(id).attach(options)
      onHeard?.()
      for await (const chunk of console) if (Buffer.isBuffer(chunk)) listener.line = unwritten(listener.line, chunk)
    } catch {
      // What has ended, or cannot be heard, has no open line: the log is all there is.
    } finally {
      beside.delete(listener)
      if (beside.size === 0 && this.#listeners.get(id) === beside) this.#listeners.delete(id)
    }
  }

  /** '' for a guest that nobody listens to */
  of(containerId: string): string {
    const [listener] = this.#listeners.get(containerId) ?? []
    return listener?.line.toString('utf8') ?? ''
  }
}
