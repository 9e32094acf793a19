/** A client that writes down what it asked for, what it was told, and what therefore has to be true at the end. */
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { z } from 'zod'
import type { Reply, Seen, User } from '../user.ts'
import type { Request } from './plan.ts'

/** Where a server may end. */
type End = 'ACTIVE' | 'SHUTOFF' | 'gone'
const ends: Readonly<Record<Request, End>> = {
  delete: 'gone',
  stop: 'SHUTOFF',
  start: 'ACTIVE',
  reboot: 'ACTIVE',
  'reboot-hard': 'ACTIVE',
}

interface Promised {
  readonly id: string
  readonly name: string
  /** one, but for requests of which nobody knows whether they were heard */
  allowed: ReadonlySet<End>
  /** requests to one server go one after the other, as one person's */
  last: Promise<unknown>
}

const made = z.object({ server: z.object({ id: z.string() }) })
const retries = 4

/** Nobody knows whether the request was carried out. */
function isOpen({ status }: Reply): boolean {
  return status === null || status >= 500
}

export class Client {
  readonly #user: User
  readonly #path: string
  readonly #promised: Promised[] = []
  /** names of creates that got no answer in the end */
  readonly #open = new Set<string>()
  readonly #working = new Set<Promise<void>>()
  #count = 0

  /** @param path of the record, a line for each request and each fault */
  constructor(user: User, path: string) {
    this.#user = user
    this.#path = path
  }

  get requests(): number {
    return this.#count
  }

  /** Servers of which it is not known that they are gone. */
  get present(): number {
    return this.#promised.filter(({ allowed }) => !allowed.has('gone')).length
  }

  note(entry: object): void {
    appendFileSync(this.#path, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`)
  }

  #begin(work: Promise<void>): void {
    this.#working.add(work)
    void work.finally(() => this.#working.delete(work))
  }

  /** Asked for again, by the same key, while there is no answer. */
  create(name: string): void {
    this.#begin(this.#create(name))
  }

  async #create(name: string): Promise<void> {
    const key = randomUUID()
    for (let attempt = 1; attempt <= retries; attempt++) {
      this.#count += 1
      const reply = await this.#user.create(name, { 'Idempotency-Key': key })
      this.note({ request: 'create', name, attempt, ...reply })
      if (reply.status === 202) {
        const { id } = made.parse(JSON.parse(reply.text)).server
        this.#promised.push({ id, name, allowed: new Set<End>(['ACTIVE']), last: Promise.resolve() })
        this.#open.delete(name)
        return
      }
      if (!isOpen(reply)) return
      this.#open.add(name)
    }
  }

  /** @param pick in [0, 1): which of the servers */
  ask(request: Request, pick: number): void {
    const present = this.#promised.filter(({ allowed }) => !allowed.has('gone'))
    const server = present[Math.floor(pick * present.length)]
    if (!server) return
    const mine = server.last.then(() => this.#ask(request, server))
    server.last = mine
    this.#begin(mine)
  }

  async #ask(request: Request, server: Promised): Promise<void> {
    this.#count += 1
    const reply = await this.#user.change(server.id, request)
    this.note({ request, name: server.name, id: server.id, ...reply })
    const end = ends[request]
    if (reply.status === 202 || reply.status === 204) server.allowed = new Set([end])
    else if (isOpen(reply)) server.allowed = new Set([...server.allowed, end])
  }

  /** All requests have their answers. */
  async settled(): Promise<void> {
    await Promise.all(this.#working)
  }

  #brokenBy({ allowed }: Promised, seen: Seen | undefined): string | null {
    const wanted = [...allowed].join(' or ')
    if (seen === undefined) return allowed.has('gone') ? null : `is lost; it was to be ${wanted}`
    const task = seen['OS-EXT-STS:task_state']
    if (task !== null) return `still shows task ${task}; it was to be ${wanted}`
    if (seen.status === 'ERROR') return seen.fault ? null : 'is in error without a fault'
    return [...allowed].some((end) => end === seen.status) ? null : `is ${seen.status}; it was to be ${wanted}`
  }

  /** What is not as was promised, a line each. A server in error with a fault is an answer. */
  async broken(): Promise<readonly string[]> {
    const seen = new Map((await this.#user.list()).map((one) => [one.id, one]))
    const wrong = this.#promised.flatMap((server) => {
      const why = this.#brokenBy(server, seen.get(server.id))
      return why === null ? [] : [`server ${server.id} (${server.name}) ${why}`]
    })
    const known = new Set(this.#promised.map(({ id }) => id))
    const doubled = [...seen.values()]
      .filter(({ id, name }) => name.startsWith('chaos-') && !known.has(id) && !this.#open.has(name))
      .map(({ id, name }) => `server ${id} (${name}) was never promised`)
    return [...wrong, ...doubled]
  }
}
