import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { execa } from 'execa'
import {
  ensureNamespace,
  isNamespace,
  listNamespaces,
  removeNamespace,
  withNamespace,
  type NamespaceSettings,
} from '../../netns/namespace.ts'

let shared: NamespaceSettings
let owned: NamespaceSettings

function here(): string {
  return readlinkSync('/proc/thread-self/ns/net')
}

async function inside(path: string, command: string): Promise<string> {
  return (await execa('nsenter', [`--net=${path}`, 'sh', '-c', command])).stdout
}

beforeEach(() => {
  const directory = join(mkdtempSync(join(tmpdir(), 'berth-namespaces-')), 'netns')
  shared = { directory, guestRootUid: 0 }
  owned = { directory, guestRootUid: 231072 }
})

afterEach(() => {
  for (const name of listNamespaces(shared)) removeNamespace(shared, name)
  expect(readdirSync(shared.directory)).toEqual([])
  rmSync(join(shared.directory, '..'), { recursive: true })
})

test('a namespace stands without a process in it, and is made once', async () => {
  const { netnsPath, usernsPath } = await ensureNamespace(shared, 'one')
  expect(usernsPath).toBeNull()
  await inside(netnsPath, 'ip link add mark type bridge')
  await ensureNamespace(shared, 'one')
  expect(await inside(netnsPath, 'ip -o link')).toContain('mark')
  expect(listNamespaces(shared)).toEqual(['one'])
})

test('a removed namespace is gone, and removing it again succeeds', async () => {
  const { netnsPath } = await ensureNamespace(owned, 'one')
  removeNamespace(owned, 'one')
  removeNamespace(owned, 'one')
  expect(isNamespace(netnsPath)).toBe(false)
  expect(listNamespaces(owned)).toEqual([])
})

test('a namespace in which a process still runs can be removed and made anew', async () => {
  const { netnsPath } = await ensureNamespace(shared, 'one')
  const before = await inside(netnsPath, 'readlink /proc/self/ns/net')
  const inmate = execa('nsenter', [`--net=${netnsPath}`, 'cat'], { reject: false })
  try {
    removeNamespace(shared, 'one')
    await ensureNamespace(shared, 'one')
    expect(await inside(netnsPath, 'readlink /proc/self/ns/net')).not.toBe(before)
  } finally {
    inmate.kill()
    await inmate
  }
})

test('the empty file that a reboot of the host leaves is no namespace, and is replaced by one', async () => {
  mkdirSync(shared.directory)
  writeFileSync(join(shared.directory, 'one'), '')
  expect(isNamespace(join(shared.directory, 'one'))).toBe(false)
  const { netnsPath } = await ensureNamespace(shared, 'one')
  expect(isNamespace(netnsPath)).toBe(true)
})

test('a namespace that lost its user namespace is made anew as a whole', async () => {
  await ensureNamespace(shared, 'one')
  const { netnsPath, usernsPath } = await ensureNamespace(owned, 'one')
  expect([isNamespace(netnsPath), isNamespace(usernsPath ?? '')]).toEqual([true, true])
})

test('the root of the guest owns its network, and is nobody on the host', async () => {
  const { netnsPath, usernsPath } = await ensureNamespace(owned, 'one')
  const enter = [`--user=${usernsPath ?? ''}`, `--net=${netnsPath}`, '--setuid=0', '--setgid=0']
  const { stdout } = await execa('nsenter', [
    ...enter,
    'sh',
    '-c',
    'ip link add mine type bridge; cat /proc/self/uid_map',
  ])
  expect(stdout.trim().split(/\s+/)).toEqual(['0', '231072', '65536'])
  expect(await inside(netnsPath, 'ip -o link')).toContain('mine')
})

test('many namespaces can be made at once', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `n${index}`)
  const made = await Promise.all(names.map((name) => ensureNamespace(owned, name)))
  expect(made.every(({ netnsPath }) => isNamespace(netnsPath))).toBe(true)
  expect([...listNamespaces(owned)].sort()).toEqual(names)
})

test('work in a namespace sees that namespace, and afterwards the thread is at home', async () => {
  const { netnsPath } = await ensureNamespace(shared, 'one')
  const home = here()
  expect(withNamespace(netnsPath, here)).toBe(await inside(netnsPath, 'readlink /proc/self/ns/net'))
  expect(here()).toBe(home)
})

test('the thread is at home also when the work failed', async () => {
  const { netnsPath } = await ensureNamespace(shared, 'one')
  const home = here()
  const failing = (): never => {
    throw new Error('the work failed')
  }
  expect(() => withNamespace(netnsPath, failing)).toThrow('the work failed')
  expect(here()).toBe(home)
})

test('what is no namespace is not entered', () => {
  mkdirSync(shared.directory)
  writeFileSync(join(shared.directory, 'plain'), '')
  expect(() => withNamespace(join(shared.directory, 'plain'), here)).toThrow('was not entered')
})
