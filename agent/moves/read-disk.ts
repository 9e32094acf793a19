/** The disk of a guest on another host, asked of the agent there. */
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { Readable } from 'node:stream'
import { json, text } from 'node:stream/consumers'
import { z } from 'zod'
import { messageOf, NotFound, PartSilent, Unavailable } from '../../core/errors.ts'
import { findAgent } from '../../db/agents.ts'
import type { Db } from '../../db/connect.ts'
import type { DiskPart } from '../../driver/disk.ts'
import { keyOfLink, tlsOfLink } from './link.ts'

/** The most that passes before a word: the other side makes its dirty pages clean before it lists the files of a guest that runs. */
const silenceMs = { live: 130_000, off: 20_000 } as const
/** And between two pieces of what it sends. */
const pauseMs = 30_000
const connectMs = 5000

export const listingShape = z.object({
  /** the image beneath the disk */
  image: z.string(),
  /** whether the guest ran */
  isLive: z.boolean(),
  /** when it was made, by the clock of the source */
  seconds: z.number(),
  entries: z.array(
    z.object({ path: z.string(), kind: z.string(), stamp: z.string(), bytes: z.number(), isOpaque: z.boolean() }),
  ),
})

export type Listing = z.output<typeof listingShape>

export class DistantDisk {
  readonly #address: URL
  readonly #key: Buffer

  private constructor(address: URL, key: Buffer) {
    this.#address = address
    this.#key = key
  }

  /** @returns null when the agent of that host offers no disks */
  static async of(db: Db, host: string, serverId: string): Promise<DistantDisk | null> {
    const agent = await findAgent(db, host)
    if (!agent?.diskAddress) return null
    return new DistantDisk(new URL(`https://${agent.diskAddress}/disks/${serverId}`), keyOfLink(agent.token))
  }

  /** @throws NotFound when it is not kept file by file there; PartSilent, Unavailable */
  async list(guest: 'live' | 'off' = 'live'): Promise<Listing> {
    const answer = await this.#ask('GET', { silenceMs: silenceMs[guest] })
    return listingShape.parse(await this.#heard(() => json(answer)))
  }

  /** @returns an archive, as a stream that ends with an error when it is not whole */
  async read(part: DiskPart): Promise<Readable> {
    return await this.#ask('POST', { silenceMs: silenceMs.off, body: JSON.stringify(part) })
  }

  async #heard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw new PartSilent(`The agent at ${this.#address.host} broke off: ${messageOf(error)}`, { cause: error })
    }
  }

  async #ask(
    method: 'GET' | 'POST',
    { silenceMs, body }: { readonly silenceMs: number; readonly body?: string },
  ): Promise<IncomingMessage> {
    const answer = await this.#heard(
      () =>
        new Promise<IncomingMessage>((resolve, reject) => {
          const pskCallback = () => ({ psk: this.#key, identity: 'agent' })
          const options = { ...tlsOfLink, method, agent: false, pskCallback, checkServerIdentity: () => undefined }
          const asked = request(this.#address, options, (answer) => {
            clearTimeout(late)
            answer.setTimeout(pauseMs, () => answer.destroy(new Error(`silent for ${pauseMs} ms`)))
            resolve(answer)
          })
          const late = setTimeout(() => {
            if (asked.socket?.connecting !== false) asked.destroy(new Error('no connection'))
          }, connectMs)
          asked.setTimeout(silenceMs, () => asked.destroy(new Error(`silent for ${silenceMs} ms`)))
          asked.once('error', (error) => {
            clearTimeout(late)
            reject(error)
          })
          asked.end(body)
        }),
    )
    if (answer.statusCode === 200) return answer
    const reason = await this.#heard(() => text(answer))
    if (answer.statusCode === 404) throw new NotFound('Disk', this.#address.pathname)
    throw new Unavailable(`The disk was not read: ${reason}`)
  }
}
