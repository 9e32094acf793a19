import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from '@jest/globals'
import { dockerInfo, misfits } from '../../machine/parts/docker.ts'
import { leftovers } from '../world/leftovers.ts'
import { docker, freshDatabase, guestImage, lxcfs, openVswitch, registry, room } from '../world/index.ts'

test('each test file gets a migrated database of its own', async () => {
  const [one, other] = [await freshDatabase(), await freshDatabase()]
  try {
    await one.db('projects').insert({ id: '1'.repeat(32), name: 'mine', description: '' })
    expect(await one.db('projects').select('name')).toEqual([{ name: 'mine' }])
    expect(await other.db('projects').select('name')).toEqual([])
  } finally {
    await one.drop()
    await other.drop()
  }
})

test('the test run has a Docker engine of its own that suits guests', async () => {
  const { socketPath } = await docker()
  expect(socketPath.startsWith(room().layout.home)).toBe(true)
  expect(misfits(await dockerInfo(socketPath))).toEqual([])
})

test('the test run has an Open vSwitch of its own', async () => {
  const { socketPath } = await openVswitch()
  expect(socketPath.startsWith(room().layout.home)).toBe(true)
})

test('guest images are in the registry of the test run, by digest', async () => {
  expect(await guestImage('debian-12-small')).toMatch(/^127\.0\.0\.1:\d+\/images\/debian-12-small@sha256:[0-9a-f]{64}$/)
  expect(await (await registry()).repositories()).toContain('images/debian-12-small')
})

test('lxcfs shows its own /proc/meminfo', async () => {
  expect(await readFile(`${await lxcfs()}/proc/meminfo`, 'utf8')).toMatch(/^MemTotal:/)
})

test('nothing of the network outside is seen', async () => {
  expect((await readFile('/proc/self/net/dev', 'utf8')).includes('lo:')).toBe(true)
  expect((await readdir('/run')).includes('docker.sock')).toBe(false)
})

test('what a test leaves behind is told', async () => {
  const database = await freshDatabase()
  const name = new URL(database.url).pathname.slice(1)
  expect(await leftovers(room())).toEqual([`database ${name}`])
  await database.drop()
  expect(await leftovers(room())).toEqual([])
})
