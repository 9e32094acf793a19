/** How far a move is, told in its record while it goes on. */
import { messageOf } from '../../core/errors.ts'
import type { WorkPhase } from '../../core/moves.ts'
import { tellProgress } from '../../db/moves.ts'
import type { Host } from '../host.ts'

/** So often at most; each is an UPDATE. */
const everyMs = 500

export class MoveProgress {
  readonly #host: Pick<Host, 'db' | 'log'>
  readonly #moveId: number
  #phase: WorkPhase
  #bytesTotal: number
  #bytesDone = 0
  /** when this phase began to carry, and how much there was before */
  #began = { at: performance.now(), bytes: 0 }
  #told = 0
  #telling: Promise<void> = Promise.resolve()

  constructor(host: Pick<Host, 'db' | 'log'>, move: { readonly id: number; readonly bytesTotal: number }) {
    this.#host = host
    this.#moveId = move.id
    this.#phase = 'estimate'
    this.#bytesTotal = move.bytesTotal
  }

  /** @param bytesTotal to be carried in all; absent = as told before */
  async enter(phase: WorkPhase, bytesTotal?: number): Promise<void> {
    this.#phase = phase
    this.#bytesTotal = bytesTotal ?? this.#bytesTotal
    this.#began = { at: performance.now(), bytes: this.#bytesDone }
    await this.end()
  }

  add(bytes: number): void {
    this.#bytesDone += bytes
    if (performance.now() - this.#told < everyMs) return
    this.#told = performance.now()
    this.#telling = this.#telling.then(() => this.#tell())
  }

  /** The stream, counted as it is read. */
  async *of(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      this.add(chunk.length)
      yield chunk
    }
  }

  /** The last word is in the record when this returns. */
  async end(): Promise<void> {
    await this.#telling
    await this.#tell()
  }

  async #tell(): Promise<void> {
    const seconds = Math.max(0.001, (performance.now() - this.#began.at) / 1000)
    const bytesPerSecond = Math.round((this.#bytesDone - this.#began.bytes) / seconds)
    const bytesTotal = Math.max(this.#bytesTotal, this.#bytesDone)
    const progress = { phase: this.#phase, bytesTotal, bytesDone: this.#bytesDone, bytesPerSecond }
    // A move does not fail because nobody could be told how far it is.
    await tellProgress(this.#host.db, this.#moveId, progress).catch((error: unknown) =>
      this.#host.log.warn({ moveId: this.#moveId, reason: messageOf(error) }, 'progress not told'),
    )
  }
}
