/** Listens to a server: every exchange is judged before its reply has left. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ContractBook } from './book.ts'

/** Bodies of files are not kept. */
const mostBytes = 8_000_000

function bytesOf(chunk: unknown): Buffer | null {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : null
}

function judge(book: ContractBook, request: IncomingMessage, response: ServerResponse, chunks: readonly Buffer[]) {
  book.judge({
    method: request.method ?? 'GET',
    url: String(Reflect.get(request, 'originalUrl') ?? request.url),
    header: (name) => {
      const value = request.headers[name]
      return Array.isArray(value) ? value.join(',') : value
    },
    request: Reflect.get(request, 'body'),
    status: response.statusCode,
    contentType: String(response.getHeader('content-type') ?? ''),
    body: Buffer.concat(chunks).toString('utf8'),
  })
}

/** To be called before the application sees the request. */
export function tap(book: ContractBook, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  let size = 0
  for (const name of ['write', 'end'] as const) {
    const original = response[name].bind(response)
    const listening = (...given: readonly unknown[]): unknown => {
      const bytes = bytesOf(given[0])
      size += bytes?.length ?? 0
      if (bytes && size <= mostBytes) chunks.push(bytes)
      if (name === 'end') judge(book, request, response, chunks)
      return Reflect.apply(original, response, given)
    }
    Reflect.set(response, name, listening)
  }
}
