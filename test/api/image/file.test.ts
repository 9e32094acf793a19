import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
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

/** An image of one layer, made of the root file system of a machine. */
async function rootImage(): Promise<string> {
  const id = await make()
  const archive = pack()
  archive.entry({ name: 'etc/hostname' }, 'box\n')
  archive.entry({ name: 'sbin/init', mode: 0o755 }, '#!/bin/sh\n')
  archive.finalize()
  const pieces: Buffer[] = []
  for await (const piece of archive) pieces.push(Buffer.from(z.instanceof(Uint8Array).parse(piece)))
  expect((await send(id, Buffer.concat(pieces))).status).toBe(204)
  return id
}

const manifest = z.looseObject({
  config: z.looseObject({ digest: z.string() }),
  layers: z.array(z.looseObject({ digest: z.string() })),
})
const config = z.looseObject({ rootfs: z.looseObject({ diff_ids: z.array(z.string()) }) })

interface Stored {
  readonly reference: string
  readonly fileDigest: string | null
  readonly layers: readonly string[]
  /** of the layers as they are when nothing packs them */
  readonly contents: readonly string[]
}

async function storedAs(id: string): Promise<Stored> {
  const { reference, fileDigest } = (await api.db('images').where({ id }).first()) ?? {}
  const { repository, digest: name } = store.of(reference ?? '')
  const read = manifest.parse(JSON.parse(await repository.manifest(name)))
  const { rootfs } = config.parse(await new Response(Readable.toWeb(await repository.blob(read.config.digest))).json())
  const layers = read.layers.map((layer) => layer.digest)
  return { reference: reference ?? '', fileDigest: fileDigest ?? null, layers, contents: rootfs.diff_ids }
}

test('the root file system of a machine becomes an image that boots', async () => {
  const { layers, fileDigest } = await storedAs(await rootImage())
  expect(layers).toEqual([fileDigest])
})

/** Writes an image of the registry into a file. */
async function copyOut(reference: string, kind: string, path: string): Promise<void> {
  const { isSecure, ca, credentials } = store.access
  await writeFile(join(home, 'ca.crt'), ca ?? '')
  const words = ['--insecure-policy', 'copy', '--quiet', `--src-tls-verify=${isSecure}`, `--src-cert-dir=${home}`]
  const access = credentials ? [`--src-creds=${credentials.user}:${credentials.password}`] : []
  const ends = [`docker://${reference}`, `${kind}:${path}:box:latest`]
  await execa('skopeo', [...words, ...access, ...ends], { timeout: 60_000 })
}

test.each(['docker-archive', 'oci-archive'])(
  'a file that skopeo writes as a %s becomes the image in it',
  async (kind) => {
    const { reference, contents } = await storedAs(await rootImage())
    const path = join(home, kind)
    await copyOut(reference, kind, path)
    const id = await make()
    expect((await send(id, await readFile(path))).status).toBe(204)
    expect((await storedAs(id)).contents).toEqual(contents)
    const received = await receive(id)
    expect(Buffer.from(await received.arrayBuffer()).equals(await readFile(path))).toBe(true)
  },
)

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
