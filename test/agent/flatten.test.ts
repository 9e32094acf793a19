/** Images of many layers made flat, as an agent does it. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { extract } from 'tar-stream'
import { z } from 'zod'
import { Flattener } from '../../agent/flatten.ts'
import { captureDirectory } from '../../agent/save-image.ts'
import { readImage } from '../../registry/image.ts'
import { boot, place } from '../api/fixture.ts'
import { bytes, labels, openImages, type Entry, type ImageSite } from './image-site.ts'

const opened = openImages()
const none = new AbortController().signal

/** Where Docker puts what each container has of its own. */
const docked = /^(dev|etc|proc|sys)(\/|$)/

/** Everything that a file system says of its entries. */
async function treeOf({ host, home }: ImageSite, reference: string): Promise<readonly string[]> {
  const entries = extract()
  const reading = await host.driver.captureImage(reference, join(home, 'tree'))
  reading.pipe(entries)
  const lines: string[] = []
  for await (const entry of entries) {
    const hash = createHash('sha256')
    for await (const chunk of entry) hash.update(z.instanceof(Uint8Array).parse(chunk))
    const { name, type, mode, uid, gid, mtime, size, linkname, pax } = entry.header
    const own = Object.entries(pax ?? {}).filter(([key]) => key.startsWith('SCHILY.xattr.'))
    const facts = [name, type, mode, uid, gid, mtime.getTime(), size, linkname, own, hash.digest('hex')]
    if (!docked.test(name)) lines.push(JSON.stringify(facts))
  }
  return lines.toSorted()
}

test('an image of too many layers becomes one of one layer, with the same files and the same config', async () => {
  const site = opened()
  await site.api.db('images').delete()
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1')
  let chain = await site.put('images/chain', [
    { name: 'srv', type: 'directory', mode: 0o2775, uid: 7, gid: 8 },
    { name: 'srv/gone', content: 'gone' },
    { name: 'srv/first', content: 'first', mode: 0o4750, uid: 1000, gid: 33 },
    { name: 'srv/second', type: 'link', linkname: 'srv/first' },
    { name: 'srv/pointer', type: 'symlink', linkname: '../etc' },
    { name: 'srv/able', content: 'able', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': capability } },
    { name: 'opaque', type: 'directory' },
    { name: 'opaque/old', content: 'old' },
  ])
  const changes: readonly (readonly Entry[])[] = [
    [
      { name: 'srv', type: 'directory', mode: 0o2775, uid: 7, gid: 8 },
      { name: 'srv/.wh.gone', content: '' },
    ],
    [
      { name: 'opaque', type: 'directory' },
      { name: 'opaque/.wh..wh..opq', content: '' },
      { name: 'opaque/new', content: 'new' },
    ],
    [{ name: 'srv/late', content: 'late', mtime: new Date(1_600_000_000_000) }],
    [{ name: 'srv/late', content: 'later' }],
  ]
  for (const entries of changes) chain = await site.putOn(chain, 'images/chain', entries)
  const id = await site.row(chain, { layers: 5 })
  const short = await site.row(await site.put('images/short', [bytes(4)]), { layers: 4 })
  await site.api.db('images').update({ updatedAt: new Date(Date.now() - 600_000) })
  const before = await treeOf(site, chain)
  expect(before.join('\n')).toMatch(/srv\/second.*srv\/first/)
  await new Flattener(site.host).look(none)
  const flat = await site.api.db('images').where({ id }).first()
  expect(flat).toMatchObject({ layers: 1, flattenedFrom: chain, properties: { berth_flattened_from: chain } })
  expect(await site.api.db('images').where({ id: short }).first()).toMatchObject({ flattenedFrom: null })
  const [old, made] = [await readImage(site.store, chain), await readImage(site.store, flat?.reference ?? '')]
  expect(made.manifest.layers).toHaveLength(1)
  expect(made.config.config).toEqual(old.config.config)
  expect(made.config.config).toMatchObject({ Labels: labels, Env: ['KEPT=1'], Cmd: ['/sbin/init'], WorkingDir: '/srv' })
  expect(await treeOf(site, flat?.reference ?? '')).toEqual(before)
  expect(await readdir(captureDirectory(site.host.config))).toEqual([])
}, 120_000)

test('an image that moves of a server have made long is flattened too, and its server refers to the flat one', async () => {
  const site = opened()
  await site.api.db('images').delete()
  const base = await site.put('images/base', [bytes(40)])
  const server = await boot({ ...site.api, imageId: await site.row(base, { visibility: 'public' }) })
  await place(site.api.db, server)
  let moved = base
  for (let count = 0; count < 5; count += 1)
    moved = await site.putOn(moved, `servers/${server}`, [{ name: 'root/count', content: String(count) }])
  await site.api.db('servers').where({ id: server }).update({ imageReference: moved })
  await new Flattener(site.host).look(none)
  const { imageReference } = (await site.api.db('servers').where({ id: server }).first()) ?? { imageReference: '' }
  expect((await readImage(site.store, imageReference)).manifest.layers).toHaveLength(1)
  expect((await treeOf(site, imageReference)).length).toBe((await treeOf(site, moved)).length)
}, 90_000)
