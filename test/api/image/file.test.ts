import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { pack } from 'tar-stream'
import { z } from 'zod'
import type { Registry } from '../../../registry/registry.ts'
import { registry, until } from '../../world/index.ts'
import { startApi, tokenOf, type TestApi } from '../fixture.ts'

let api: TestApi
let token: string
let home: string
let store: Registry
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'images-'))
  store = await registry()
  api = await startApi({ home }, { registry: store })
  token = await tokenOf(api.url, 'mia', 'shop')
}, 120_000)
afterAll(async () => {
  await api.stop()
  await rm(home, { recursive: true })
})

const made = z.looseObject({ id: z.uuid() })
async function make(): Promise<string> {
  const body = { name: 'bytes', disk_format: 'raw', container_format: 'bare' }
  return made.parse((await api.member('POST /image/v2/images', { body })).body).id
}

function send(
  id: string,
  body: string | Buffer<ArrayBuffer> | ReadableStream,
  type = 'application/octet-stream',
): Promise<Response> {
  return fetch(`${api.url}/image/v2/images/${id}/file`, {
    method: 'PUT',
    headers: { 'X-Auth-Token': token, 'Content-Type': type },
    body,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    signal: AbortSignal.timeout(60_000),
  })
}

async function receive(id: string): Promise<Response> {
  const signal = AbortSignal.timeout(60_000)
  return await fetch(`${api.url}/image/v2/images/${id}/file`, { headers: { 'X-Auth-Token': token }, signal })
}

const digest = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex')
const show = async (id: string): Promise<unknown> => (await api.member(`GET /image/v2/images/${id}`)).body

test.each(['whole', 'in pieces'] as const)(
  'bytes that are sent %s come back the same, with their checksums',
  async (way) => {
    const id = await make()
    const bytes = randomBytes(3_000_000)
    const sent = await send(id, way === 'whole' ? bytes : new Blob([bytes]).stream())
    expect([sent.status, await sent.text()]).toEqual([204, ''])
    expect(await show(id)).toMatchObject({
      status: 'active',
      size: bytes.length,
      checksum: digest('md5', bytes),
      os_hash_algo: 'sha512',
      os_hash_value: digest('sha512', bytes),
    })
    const received = await receive(id)
    expect(received.headers.get('content-length')).toBe(String(bytes.length))
    expect(received.headers.get('content-md5')).toBe(digest('md5', bytes))
    expect(Buffer.from(await received.arrayBuffer()).equals(bytes)).toBe(true)
    expect((await send(id, bytes)).status).toBe(409)
  },
)

test('the root file system of a machine becomes an image that boots', async () => {
  const id = await make()
  const archive = pack()
  archive.entry({ name: 'etc/hostname' }, 'box\n')
  archive.entry({ name: 'sbin/init', mode: 0o755 }, '#!/bin/sh\n')
  archive.finalize()
  const pieces: Buffer[] = []
  for await (const piece of archive) pieces.push(Buffer.from(z.instanceof(Uint8Array).parse(piece)))
  expect((await send(id, Buffer.concat(pieces))).status).toBe(204)
  const row = await api.db('images').where({ id }).first()
  const { repository, digest: reference } = store.of(row?.reference ?? '')
  const manifest: unknown = JSON.parse(await repository.manifest(reference))
  expect(manifest).toMatchObject({ layers: [{ digest: row?.fileDigest }] })
})

test('bytes of another kind, and bytes for what takes none, are refused', async () => {
  const id = await make()
  expect((await send(id, 'x', 'text/plain')).status).toBe(415)
  expect((await send(api.imageId, 'x')).status).toBe(403)
  expect((await send('00000000-0000-4000-8000-000000000000', 'x')).status).toBe(404)
  expect(await show(id)).toMatchObject({ status: 'queued' })
})

test('an upload that breaks off leaves the image waiting for another', async () => {
  const id = await make()
  const inStatus = (status: string) =>
    until(async () => z.looseObject({ status: z.string() }).parse(await show(id)).status === status, {
      timeoutMs: 20_000,
      what: `an image that is ${status}`,
    })
  const headers = { 'X-Auth-Token': token, 'Content-Type': 'application/octet-stream' }
  const sending = request(`${api.url}/image/v2/images/${id}/file`, { method: 'PUT', headers })
  sending.once('error', () => undefined)
  sending.write(randomBytes(100_000))
  await inStatus('saving')
  sending.destroy()
  await inStatus('queued')
  expect((await send(id, 'short')).status).toBe(204)
})

test('nobody but an administrator reads an image that rests', async () => {
  const id = await make()
  await send(id, 'secret')
  const act = (action: string, client = api.admin) => client(`POST /image/v2/images/${id}/actions/${action}`)
  expect((await act('deactivate', api.member)).status).toBe(403)
  expect((await act('deactivate')).status).toBe(204)
  expect((await receive(id)).status).toBe(403)
  expect((await act('reactivate')).status).toBe(204)
  expect(await (await receive(id)).text()).toBe('secret')
})
