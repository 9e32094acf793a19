/** What a running guest has written after its last line break. The engine's log has whole lines only, and a log-in prompt is none. */
import type Docker from 'dockerode'

/** The engine writes down what is longer than this, even without an end of the line. */
const loggedBytes = 16_384

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

export class OpenLines {
  /** of each container, those that listen longest first: one of its last run may end a little after the next has begun */
  readonly #listeners = new Map<string, Set<Listener>>()

  /** Listens to a guest's console until it ends, the engine goes, or `signal` aborts; never rejects. */
  async follow(container: Docker.Container, signal: AbortSignal): Promise<void> {
    const { id } = container
    const listener: Listener = { line: Buffer.alloc(0) }
    const beside = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, beside.add(listener))
    try {
      const options = { stream: true, stdout: true, stderr: true, abortSignal: signal }
      for await (const chunk of await container.attach(options))
        if (Buffer.isBuffer(chunk)) listener.line = unwritten(listener.line, chunk)
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
