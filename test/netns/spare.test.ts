import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { readlinkSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  findNamespace,
  listNamespaces,
  listSpares,
  removeAllNamespaces,
  type NamespaceSettings,
} from '../../netns/namespace.ts'
import { Spares } from '../../netns/spare.ts'
import { until } from '../world/index.ts'

let settings: NamespaceSettings
let spares: Spares
beforeEach(async () => {
  settings = { directory: await mkdtemp(join(tmpdir(), 'spares-')), guestRootUid: 100_000 }
  spares = new Spares(settings)
})
afterEach(async () => {
  spares.close()
  removeAllNamespaces(settings)
  await rm(settings.directory, { recursive: true })
})

test('a spare becomes the namespace of a name, and is replaced', async () => {
  await until(() => listSpares(settings).length === 4)
  const [first = ''] = listSpares(settings)
  const made = statSync(join(settings.directory, first)).ino
  expect(spares.take('quay')).toBe(true)
  const taken = findNamespace(settings, 'quay')
  expect(statSync(taken?.netnsPath ?? '').ino).toBe(made)
  expect(taken?.usernsPath).not.toBeNull()
  expect(readlinkSync('/proc/self/ns/net')).not.toContain(String(made))
  expect(listNamespaces(settings)).toEqual(['quay'])
  await until(() => listSpares(settings).length === 4)
})

test('without a spare nothing is taken', () => {
  expect(spares.take('quay')).toBe(false)
  expect(listNamespaces(settings)).toEqual([])
})

test('after the end none is made', async () => {
  await until(() => listSpares(settings).length === 4)
  spares.close()
  removeAllNamespaces(settings)
  expect(spares.take('quay')).toBe(false)
  expect(listSpares(settings)).toEqual([])
})
