/** Users at work while something dies: every request is written down, and judged at the end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { messageOf } from '../../core/errors.ts'
import { until } from '../world/index.ts'
import type { Seen, User } from './user.ts'

/** What a user was promised of one server. */
interface Promised {
  readonly id: string
  readonly name: string
  /** the last acknowledged wish */
  wish: 'be there' | 'be gone'
}

const made = z.object({ server: z.object({ id: z.string() }) })
const restMs = 500
/** Two at work keep a machine of two cores busy. */
const workers = 2

export class Load {
  readonly #user: User
  readonly #promised: Promised[] = []
  readonly #ending = new AbortController()
  #working: Promise<unknown> | null = null
  readonly #name: string
  #asked = 0

  /** @param name begins those of all its servers */
  constructor(user: User, name: string) {
    this.#user = user
    this.#name = name
  }

  /** Creates, reboots and deletes until stopped. */
  start(): void {
    const all = Array.from({ length: workers }, (_, index) => this.#work(`${this.#name}-${index}`))
    this.#working = Promise.all(all)
  }

  async #work(name: string): Promise<void> {
    while (!this.#ending.signal.aborted) {
      this.#asked += 1
      const { status, text } = await this.#user.create(`${name}-${this.#asked}`)
      if (status === 202) await this.#live({ id: made.parse(JSON.parse(text)).server.id, name, wish: 'be there' })
      await sleep(restMs)
    }
  }

  /** One server's life: up, a reboot, away; each step is gone on with whatever became of the one before. */
  async #live(server: Promised): Promise<void> {
    this.#promised.push(server)
    await this.#settled(server.id)
    await this.#user.change(server.id, 'reboot-hard')
    await this.#settled(server.id)
    const { status } = await this.#user.change(server.id, 'delete')
    if (status === 204) server.wish = 'be gone'
  }

  async #settled(id: string): Promise<void> {
    const isOver = (): boolean => this.#ending.signal.aborted
    await until(async () => isOver() || (await this.#user.show(id))?.['OS-EXT-STS:task_state'] === null, {
      timeoutMs: 120_000,
    }).catch(() => undefined)
  }

  /** No new requests. */
  end(): void {
    this.#ending.abort()
  }

  /** No new requests; returns when those under way are answered. */
  async stop(): Promise<void> {
    this.end()
    await this.#working
  }

  get requests(): number {
    return this.#asked
  }

  /** Why this promise is not kept, or null. A server in error with a fault is an answer too. */
  #brokenBy({ wish }: Promised, seen: Seen | null): string | null {
    if (wish === 'be gone') return seen === null ? null : `is still there: ${seen.status}`
    if (seen === null) return 'is lost'
    if (seen['OS-EXT-STS:task_state'] !== null) return `still shows ${seen['OS-EXT-STS:task_state']}`
    if (seen.status === 'ERROR' && seen.fault === undefined) return 'is in error without a fault'
    return null
  }

  /** Those too whose create got no reply. */
  async #clear(): Promise<void> {
    await until(
      async () => {
        const present = (await this.#user.list()).filter(({ name }) => name.startsWith(this.#name))
        for (const { id } of present) await this.#user.change(id, 'delete')
        return present.length === 0
      },
      { timeoutMs: 60_000, what: 'the servers of the load to go' },
    )
  }

  /** What was promised and is not so when all has settled, a line each; then all servers of the load go. */
  async judge(timeoutMs: number): Promise<readonly string[]> {
    const broken = async (): Promise<readonly string[]> => {
      const lines = await Promise.all(
        this.#promised.map(async (one) => {
          const why = this.#brokenBy(one, await this.#user.show(one.id))
          return why === null ? [] : [`server ${one.id} ${why}`]
        }),
      )
      return lines.flat()
    }
    const kept = await until(async () => (await broken()).length === 0, { timeoutMs }).catch(messageOf)
    const lines = kept === true ? [] : await broken()
    await this.#clear()
    return lines
  }
}
