/** Images on a host and in a registry, looked after as an agent does it. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { ImageBringer, sweepHost } from '../../agent/image-care.ts'
import { endKilledSweep, sweepRegistry } from '../../agent/registry-sweep.ts'
import { digestIn, hostsWithImage } from '../../db/host-images.ts'
import { wishImage } from '../../db/image-care.ts'
import { deleteImage } from '../../db/new-images.ts'
import { whileWriting } from '../../db/registry-writers.ts'
import { readImage } from '../../registry/image.ts'
import { boot, place } from '../api/fixture.ts'
import { address, bytes, openImages } from './image-site.ts'

const opened = openImages()
const none = new AbortController().signal

test('public images and those wished for are brought to a host, others are not', async () => {
  const site = opened()
  await site.api.db('images').delete()
  const [shown, wished, other] = [
    await site.put('images/shown', [bytes(10)]),
    await site.put('images/wished', [bytes(11)]),
    await site.put('images/other', [bytes(12)]),
  ]
  await site.row(shown, { visibility: 'public' })
  await wishImage(site.api.db, await site.row(wished), ['host-1'])
  await site.row(other)
  await new ImageBringer(site.host).look(none)
  expect(await Promise.all([shown, wished, other].map((one) => site.isHere(one)))).toEqual([true, true, false])
  expect(await hostsWithImage(site.api.db, wished)).toEqual(['host-1'])
}, 60_000)

test('an image that nothing has needed leaves the host; one that a row, a server or a creation needs stays', async () => {
  const site = opened()
  const [idle, used, asked] = [
    await site.put('images/idle', [bytes(300_000)]),
    await site.put('images/used', [bytes(13)]),
    await site.put('images/asked', [bytes(14)]),
  ]
  await site.api.db('images').delete()
  const shown = await site.put('images/shown', [bytes(15)])
  const shownId = await site.row(shown, { visibility: 'public' })
  for (const one of [idle, used, asked, shown]) await site.host.driver.ensureImage(one)
  const server = await boot({ ...site.api, imageId: shownId })
  await place(site.api.db, server)
  await site.api.db('servers').where({ id: server }).update({ imageReference: used })
  const later = await site.freshHost()
  await later.driver.ensureImage(asked)
  const patient = await sweepHost(await site.freshHost({ imageIdleHours: 1 }), false)
  expect(patient.removed).toEqual([])
  const told = await sweepHost(later, true)
  expect(told.removed).toContain(digestIn(idle))
  expect(told.in_use).toEqual([digestIn(asked)])
  expect(await site.isHere(idle)).toBe(true)
  const done = await sweepHost(later, false)
  expect(done.removed).toContain(digestIn(idle))
  expect(done.in_use).toEqual([digestIn(asked)])
  expect(done.bytes).toBeGreaterThanOrEqual(300_000)
  expect(await Promise.all([idle, used, asked, shown].map((one) => site.isHere(one)))).toEqual([
    false,
    true,
    true,
    true,
  ])
  await site.api.db('servers').where({ id: server }).update({ deletedAt: new Date() })
}, 90_000)

test('what nothing refers to leaves the registry with its bytes; layers that others have stay', async () => {
  const site = opened()
  await site.api.db('images').delete()
  const base = await site.put('images/base', [bytes(200_000)])
  const child = await site.putOn(base, 'images/0a8ee05a-67a4-4d27-b30e-4efcd29b3b1c', [
    { name: 'root/new', content: randomBytes(100_000) },
  ])
  const moved = await site.putOn(base, 'servers/0a8ee05a-67a4-4d27-b30e-4efcd29b3b1d', [
    { name: 'root/moved', content: randomBytes(1000) },
  ])
  const [baseId, childId] = [await site.row(base, { visibility: 'public' }), await site.row(child)]
  const server = await boot({ ...site.api, imageId: baseId })
  await site.api.db('servers').where({ id: server }).update({ imageReference: moved })
  await deleteImage(site.api.db, baseId)
  await sweepRegistry(site.host, false)
  expect(await Promise.all([base, child, moved].map((one) => site.isStored(one)))).toEqual([false, true, true])
  expect((await readImage(site.store, child)).manifest.layers).toHaveLength(2)
  const layer = (await readImage(site.store, child)).manifest.layers[0]?.digest ?? ''
  await deleteImage(site.api.db, childId)
  const told = await sweepRegistry(site.host, true)
  expect(told?.bytes).toBeGreaterThan(100_000)
  expect(told?.bytes).toBeLessThan(150_000)
  expect(await site.isStored(child)).toBe(true)
  const done = await sweepRegistry(site.host, false)
  expect(done).toMatchObject({ removed: told?.removed, bytes: told?.bytes, sweeps_blobs: true })
  expect(await site.store.repositories()).not.toContain('images/0a8ee05a-67a4-4d27-b30e-4efcd29b3b1c')
  expect(await site.store.of(moved).repository.has(layer)).toBe(true)
  await site.host.driver.ensureImage(moved)
  await site.api.db('servers').where({ id: server }).update({ deletedAt: new Date() })
  expect((await sweepRegistry(site.host, false))?.removed).toEqual([moved.replace(`${address}/`, '')])
  expect(await site.store.of(moved).repository.has(layer)).toBe(false)
  const again = await site.putOn(await site.put('images/again', [bytes(10)]), 'images/again', [bytes(20)])
  expect(await site.host.driver.ensureImage(again)).toMatch(/^sha256:/)
}, 120_000)

test('nothing is swept while somebody writes, nor before it has been left alone for long enough', async () => {
  const site = opened()
  await site.api.db('images').delete()
  await sweepRegistry(site.host, false)
  const orphan = await site.put('images/orphan', [bytes(30)])
  const meanwhile = await whileWriting(site.api.db, () => sweepRegistry(site.host, false))
  expect(meanwhile).toBeNull()
  const patient = await site.freshHost({ registryKeepHours: 1 })
  expect(await sweepRegistry(patient, false)).toMatchObject({ removed: [], waiting: 1 })
  await site.api.db('registry_orphans').update({ since: new Date(Date.now() - 3_700_000) })
  expect(await sweepRegistry(patient, false)).toMatchObject({
    removed: [orphan.replace(`${address}/`, '')],
    waiting: 0,
  })
  expect(await site.isStored(orphan)).toBe(false)
}, 60_000)

test('who writes waits for a sweep, but not for one whose agent was killed, once the next agent starts', async () => {
  const site = opened()
  await site.api.db('registry_state').update({ sweepUntil: new Date(Date.now() + 600_000) })
  const order: string[] = []
  const writing = whileWriting(site.api.db, () => Promise.resolve(order.push('written')))
  await sleep(1000)
  order.push('started')
  await endKilledSweep(site.host)
  await writing
  expect(order).toEqual(['started', 'written'])
}, 60_000)
