import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { nocloudSeed, type Seed } from '../../driver/seed.ts'

const seed: Seed = {
  serverId: '11111111-2222-4333-8444-555555555555',
  hostname: 'quay',
  projectId: 'p1',
  availabilityZone: 'nova',
  publicKeys: [{ name: 'mine', key: 'ssh-ed25519 AAAA me' }],
  userData: null,
  metadata: { role: 'web' },
  adminPassword: null,
}

function fileOf(change: Partial<Seed>, path: string) {
  return nocloudSeed({ ...seed, ...change }).find((file) => file.path === path)
}

function textOf(change: Partial<Seed>, name: string): string {
  return Buffer.from(fileOf(change, `/var/lib/cloud/seed/nocloud/${name}`)?.content ?? '').toString()
}

test('metadata names the instance, its keys and the words of its user', () => {
  expect(parse(textOf({}, 'meta-data'))).toEqual({
    'instance-id': seed.serverId,
    'local-hostname': 'quay',
    'public-keys': { mine: 'ssh-ed25519 AAAA me' },
    'availability-zone': 'nova',
    'project-id': 'p1',
    meta: { role: 'web' },
  })
})

test('the key is in place for root and for the default user before anything runs', () => {
  for (const [path, owner] of [
    ['/root/.ssh/authorized_keys', 'root'],
    ['/home/debian/.ssh/authorized_keys', 'debian'],
  ] as const)
    expect(fileOf({}, path)).toEqual({ path, owner, mode: 0o600, content: 'ssh-ed25519 AAAA me\n' })
  expect(fileOf({ publicKeys: [] }, '/root/.ssh/authorized_keys')).toBeUndefined()
})

test('user data reaches the guest byte for byte, gzip too', () => {
  const gzip = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
  const file = fileOf({ userData: gzip.toString('base64') }, '/var/lib/cloud/seed/nocloud/user-data')
  expect(Buffer.from(file?.content ?? '')).toEqual(gzip)
})

test('without user data there is an empty cloud-config', () => {
  expect(textOf({}, 'user-data')).toBe('#cloud-config\n{}\n')
})

test('a password is set for root and for the default user, whatever characters it has', () => {
  const vendorData = textOf({ adminPassword: `a: "b" #c'\\` }, 'vendor-data')
  expect(vendorData.startsWith('#cloud-config\n')).toBe(true)
  expect(parse(vendorData)).toEqual({
    chpasswd: {
      expire: false,
      users: ['root', 'debian'].map((name) => ({ name, password: `a: "b" #c'\\`, type: 'text' })),
    },
  })
  expect(parse(textOf({}, 'vendor-data'))).toEqual({})
})

test('what is secret is read by root alone', () => {
  const secret = nocloudSeed({ ...seed, adminPassword: 'x' }).filter(({ path }) => /nocloud|_key$/.test(path))
  expect(secret.map(({ mode, owner }) => [mode, owner])).toEqual(secret.map(() => [0o600, 'root']))
})
