import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { boot, faultIn, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+XJFmXCoal7SkMpAvJUbmxlriy6fUMoLq3iVfVfIKu root@vm'
const keypair = z.strictObject({
  keypair: z.strictObject({
    name: z.string(),
    public_key: z.string(),
    fingerprint: z.string().regex(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/),
    user_id: z.string(),
    type: z.literal('ssh').optional(),
    private_key: z.string().optional(),
  }),
})

async function create(body: Readonly<Record<string, unknown>>, version = '2.1') {
  return await api.member('POST /compute/v2.1/os-keypairs', { version, body: { keypair: body } })
}

test('a key of the user’s is kept, with its fingerprint', async () => {
  const answer = await create({ name: 'mine', public_key: publicKey })
  expect(answer.status).toBe(200)
  // ssh-keygen -l -E md5
  expect(keypair.parse(answer.body).keypair).toMatchObject({ name: 'mine', public_key: publicKey, user_id: 'user-mia' })
  expect((await create({ name: 'mine', public_key: publicKey })).status).toBe(409)
})

test('without a key one is made, whose halves fit, and the private one is not kept', async () => {
  const answer = await create({ name: 'made' }, '2.2')
  expect(answer.status).toBe(201)
  const { public_key: made, private_key: secret = '', type } = keypair.parse(answer.body).keypair
  expect(type).toBe('ssh')
  const { n = '' } = createPublicKey(createPrivateKey(secret)).export({ format: 'jwk' })
  const blob = Buffer.from(made.split(' ')[1] ?? '', 'base64')
  expect(blob.includes(Buffer.from(n, 'base64url'))).toBe(true)
  const { body } = await api.member('GET /compute/v2.1/os-keypairs/made')
  expect(JSON.stringify(body)).not.toContain('PRIVATE')
})

test('keys are listed by name, page by page, and are gone when deleted', async () => {
  const list = z.strictObject({
    keypairs: z.array(z.strictObject({ keypair: z.object({ name: z.string() }) })),
    keypairs_links: z.array(z.unknown()).optional(),
  })
  const names = async (query: string): Promise<readonly string[]> => {
    const { body } = await api.member(`GET /compute/v2.1/os-keypairs${query}`, { version: '2.35' })
    return list.parse(body).keypairs.map((entry) => entry.keypair.name)
  }
  expect(await names('?limit=1')).toEqual(['made'])
  expect(await names('?limit=1&marker=made')).toEqual(['mine'])
  expect((await api.member('DELETE /compute/v2.1/os-keypairs/made')).status).toBe(202)
  expect((await api.member('DELETE /compute/v2.1/os-keypairs/mine', { version: '2.2' })).status).toBe(204)
  expect(await names('')).toEqual([])
  expect((await api.member('GET /compute/v2.1/os-keypairs/mine')).status).toBe(404)
})

test('an administrator reaches another user’s keys from 2.10 on, others do not', async () => {
  await create({ name: 'k', public_key: publicKey })
  const path = 'GET /compute/v2.1/os-keypairs/k?user_id=user-mia'
  expect((await api.admin(path, { version: '2.10' })).status).toBe(200)
  expect((await api.admin(path, { version: '2.9' })).status).toBe(404)
  expect((await api.stranger(path, { version: '2.10' })).status).toBe(403)
})

test.each([
  ['a name with a slash', { name: 'a/b', public_key: publicKey }, '2.1'],
  ['an empty name', { name: '', public_key: publicKey }, '2.1'],
  ['an @ before 2.92', { name: 'a@b', public_key: publicKey }, '2.91'],
  ['no key from 2.92 on', { name: 'a' }, '2.92'],
  ['what is no key', { name: 'a', public_key: 'ssh-rsa nonsense' }, '2.1'],
  ['two lines', { name: 'a', public_key: `${publicKey}\n${publicKey}` }, '2.1'],
  ['an oversized key', { name: 'a', public_key: `ssh-rsa ${'A'.repeat(20_000)}` }, '2.1'],
])('%s is bad input', async (_what, body, version) => {
  const answer = await create(body, version)
  expect([answer.status, faultIn(answer)[0]]).toEqual([400, 'badRequest'])
})

test('a certificate is made, signed by itself, or brought along; it opens no ssh', async () => {
  const made = z.object({
    keypair: z.object({
      type: z.literal('x509'),
      public_key: z.string(),
      private_key: z.string().optional(),
      fingerprint: z.string().regex(/^([0-9a-f]{2}:){19}[0-9a-f]{2}$/),
    }),
  })
  const answer = await create({ name: 'windows', type: 'x509' }, '2.2')
  expect(answer.status).toBe(201)
  const { public_key: pem, private_key: secret = '', fingerprint } = made.parse(answer.body).keypair
  const certificate = new X509Certificate(pem)
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(certificate.checkPrivateKey(createPrivateKey(secret))).toBe(true)
  expect(certificate.subject).toBe('CN=user-mia')
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  expect(new Date(certificate.validTo).getTime()).toBeGreaterThan(Date.now() + 9 * 365 * 86_400_000)
  const brought = await create({ name: 'brought', type: 'x509', public_key: pem }, '2.2')
  expect(made.parse(brought.body).keypair).toMatchObject({ fingerprint })
  expect((await create({ name: 'broken', type: 'x509', public_key: 'no certificate' }, '2.2')).status).toBe(400)
  const server = await boot(api, { key_name: 'windows' })
  expect(await api.db('servers').where({ id: server }).first()).toMatchObject({ keyName: 'windows', publicKey: null })
})
