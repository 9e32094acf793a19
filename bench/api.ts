/** p50 in milliseconds of POST /servers, GET one and GET 1,000 in detail, beside one bare INSERT; on a database and an API of its own. */
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { createApp } from '../api/app.ts'
import { registryOf } from '../registry/registry.ts'
import { connect } from '../db/connect.ts'
import { createDefaults } from '../db/defaults.ts'
import { addImage } from '../db/images.ts'
import { migrate } from '../db/migrate.ts'
import { createDefaultNetwork } from '../ipam/default-network.ts'
import { migrateJobs } from '../jobs/migrate.ts'
import { Cloud } from '../machine/cloud.ts'
import { loadConfig } from '../core/config.ts'
import { median, print, timed } from './figures.ts'
import { databaseUrl } from './site.ts'

const database = 'berth_bench_api'
const servers = 1000
const password = randomUUID()

const admin = connect(await databaseUrl('postgres'), { size: 1, name: 'bench' })
await admin.raw('drop database if exists ?? with (force)', [database])
await admin.raw('create database ??', [database])
const url = await databaseUrl(database)
const db = connect(url, { size: 10, name: 'bench' })
const base = loadConfig()
await migrate(db)
await migrateJobs(url)
const projectId = await createDefaults(db, { adminPassword: password, region: 'RegionOne' })
await createDefaultNetwork(db, { ...base, projectId })
await addImage(db, { name: 'none', reference: 'none', sizeBytes: 1, properties: {} })

const listening = createApp({
  db,
  config: { ...base, publicUrl: null },
  registry: registryOf(base),
  log: pino({ level: 'silent' }),
}).listen(0, '127.0.0.1')
await new Promise((resolve) => listening.once('listening', resolve))
const address: AddressInfo | string | null = listening.address()
if (address === null || typeof address === 'string') throw new Error('the API does not listen')
const publicUrl = `http://127.0.0.1:${address.port}`
try {
  const cloud = await Cloud.open({ ...base, publicUrl }, password)
  await cloud.ensureKeypair(
    'bench',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEX8o5PvJx0H0x7pQ9m3c1m1uH3sH3uX9i0t0w2n5k9a bench',
  )
  const wanted = { image: 'none', flavor: 'm1.nano', network: base.networkName, key: 'bench' }
  const ids = {
    image: await cloud.imageId(wanted.image),
    flavor: await cloud.flavorId(wanted.flavor),
    network: await cloud.networkId(wanted.network),
  }
  const posts: number[] = []
  let last = ''
  for (let i = 0; i < servers; i += 1) {
    posts.push(
      await timed(async () => (last = await cloud.createServerOf({ name: `bench-${i}`, ...ids, key: wanted.key }))),
    )
  }
  const gets: number[] = []
  for (let i = 0; i < 200; i += 1) gets.push(await timed(() => cloud.server(last)))
  const lists: number[] = []
  for (let i = 0; i < 10; i += 1) lists.push(await timed(() => cloud.servers()))
  const floor: number[] = []
  await db.raw('create table floor (id uuid primary key)')
  for (let i = 0; i < 500; i += 1) floor.push(await timed(() => db.raw('insert into floor values (?)', [randomUUID()])))
  print({
    post_p50_ms: median(posts),
    get_p50_ms: median(gets),
    list_1000_detail_p50_ms: median(lists),
    insert_floor_p50_ms: median(floor),
    post_ratio: median(posts) / median(floor),
  })
} finally {
  listening.close()
  await db.destroy()
  await admin.raw('drop database if exists ?? with (force)', [database])
  await admin.destroy()
}
