/** What the layer that is made of a guest's disk says of its files. */
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from '@jest/globals'
import { extract, type Header } from 'tar-stream'
import { z } from 'zod'
import { setAttribute } from '../../../driver/docker/xattr.ts'
import type { GuestSpec } from '../../../driver/driver.ts'
import { openGuests } from './guests.ts'

const opened = openGuests()
const path = 'root/.ssh/authorized_keys'
const upperShape = z.object({ UpperDir: z.string() })

/** The entry of the file, from the layer of a guest that is off. */
async function entryOf({ serverId }: GuestSpec): Promise<{ readonly header: Header | null; readonly content: string }> {
  const { site } = opened()
  const { archive } = await site.driver.capture(serverId, {
    scratch: join(site.directory, 'scratch'),
    isWhole: false,
    isOff: true,
    fateOf: () => 'keep',
  })
  const entries = extract()
  archive.on('error', (error) => entries.destroy(error))
  archive.pipe(entries)
  let found: { readonly header: Header | null; readonly content: string } = { header: null, content: '' }
  for await (const entry of entries) {
    const content = await text(entry)
    if (entry.header.name === path) found = { header: entry.header, content }
  }
  return found
}

test('a layer has the times of files to the nanosecond, and what the guest noted on them', async () => {
  const guests = opened()
  const spec = await guests.specOf()
  await guests.site.driver.create(spec)
  const { GraphDriver } = await guests.containerOf(spec).inspect()
  const file = join(upperShape.parse(GraphDriver.Data).UpperDir, path)
  setAttribute(file, 'user.note', 'kept')
  setAttribute(file, 'user.bytes', Buffer.from('ff00', 'hex').toString('latin1'))
  await utimes(file, '981173106.25', '981173106.25')
  const { header, content } = await entryOf(spec)
  expect(content).toBe('key')
  expect(header?.mode).toBe(0o600)
  expect(header?.pax).toEqual({ path, mtime: '981173106.25', 'SCHILY.xattr.user.note': 'kept' })
})
