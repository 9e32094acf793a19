/**
 * What no API can go below: an express of one route that asks a bare pg and sends bytes that it has already. A process of its own, as the
 * API is; told over IPC what to ask and what to send. usage: floor URL-OF-POSTGRES
 */
import express from 'express'
import pg from 'pg'
import { z } from 'zod'

const page = z.object({ name: z.string(), text: z.string(), values: z.array(z.unknown()), bytes: z.string() })

const pool = new pg.Pool({ connectionString: process.argv[2], max: 10, min: 1 })
const pages = new Map<string, { readonly text: string; readonly values: unknown[]; readonly body: Buffer }>()
process.on('message', (told) => {
  const { name, text, values, bytes } = page.parse(told)
  pages.set(name, { text, values, body: Buffer.from(bytes) })
  process.send?.(0)
})

const app = express().disable('etag').disable('x-powered-by')
app.get('/:name', async (request, response) => {
  const found = pages.get(request.params.name)
  if (!found) throw new Error(`no page ${request.params.name}`)
  await pool.query({ name: found.text.length.toString(), text: found.text, values: found.values })
  response.set('Content-Type', 'application/json; charset=utf-8').end(found.body)
})
const listening = app.listen(0, '127.0.0.1', () => {
  const address = listening.address()
  if (typeof address === 'object') process.send?.(address?.port)
})
process.on('disconnect', () => process.exit(0))
