/** A client that does next to nothing itself: connections that stay open, and bytes that are read to their end. */
import { Agent, request } from 'node:http'
import { z } from 'zod'

const answer = z.object({ token: z.object({ user: z.object({ id: z.string() }) }) })

export interface Ask {
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

export class Client {
  readonly #agent = new Agent({ keepAlive: true })

  /** @throws Error on any other status than 2xx */
  async ask({ url, method = 'GET', body, headers }: Ask): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const asked = request(url, { method, agent: this.#agent, headers, timeout: 60_000 }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const read = Buffer.concat(parts)
        const { statusCode = 0 } = response
        if (statusCode >= 200 && statusCode < 300) resolve(read)
        else reject(new Error(`${method} ${url}: ${statusCode} ${read.toString()}`))
      })
    })
    asked.on('error', reject)
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${url}: no answer`)))
    asked.end(body)
    return await promise
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** A token of the administrator's, of its own project. */
export async function tokenOf(
  apiUrl: string,
  password: string,
): Promise<{ readonly token: string; readonly userId: string }> {
  const domain = { id: 'default' }
  const identity = { methods: ['password'], password: { user: { name: 'admin', domain, password } } }
  const response = await fetch(`${apiUrl}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope: { project: { name: 'admin', domain } } } }),
    signal: AbortSignal.timeout(30_000),
  })
  const { token: said } = answer.parse(await response.json())
  return { token: response.headers.get('x-subject-token') ?? '', userId: said.user.id }
}
