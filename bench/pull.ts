/**
 * How long an engine takes to bring an image of many layers, and the same image when it has been flattened. Needs a cloud: ./berth up.
 * usage: pull [layers] [MiB of each layer]
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { flatten } from '../agent/flatten.ts'
import { digestIn } from '../db/host-images.ts'
import { DockerDriver } from '../driver/docker/driver.ts'
import { registryAccessOf } from '../machine/registry-keys.ts'
import { putChild, readImage } from '../registry/image.ts'
import { Registry } from '../registry/registry.ts'
import { Sources } from '../registry/sources.ts'
import { median, print, timed } from './measure/figures.ts'
import { cloud as openCloud, databaseUrl, site } from './measure/site.ts'
import { connect } from '../db/connect.ts'

const rounds = 3
const [layers = 60, mebibytes = 2] = process.argv.slice(2).map(Number)
const { config, layout } = site()
const registry = new Registry(await registryAccessOf(site()))
const name = `images/bench-${randomUUID()}`

/** It knows of no image that another one brought. */
function driver(): DockerDriver {
  const sources = new Sources(registry, [])
  return new DockerDriver({
    socketPath: join(layout.run, 'docker.sock'),
    ociDirectory: join(layout.run, 'oci'),
    runtime: 'berth',
    cgroupParent: `/${config.namePrefix}`,
    lxcfsDir: null,
    sources: (reference) => sources.of(reference),
  })
}

/** One file that every layer has, and one of its own: a snapshot of a machine at work. */
function changes(round: number): Readable {
  const archive = pack()
  archive.entry({ name: 'var/bench/same' }, randomBytes(mebibytes * 1024 ** 2))
  for (let file = 0; file < 50; file += 1) archive.entry({ name: `var/bench/${round}/${file}` }, `${round} ${file}`)
  archive.finalize()
  return Readable.from(archive)
}

async function baseReference(): Promise<string> {
  const db = connect(await databaseUrl('berth'), { size: 1, name: 'bench' })
  try {
    return (await db('images').where({ name: 'debian-12-small', status: 'active' }).first())?.reference ?? ''
  } finally {
    await db.destroy()
  }
}

async function chainOn(base: string): Promise<string> {
  let reference = base
  for (let round = 0; round < layers; round += 1) {
    const change = { archive: changes(round), isWhole: false, createdBy: 'bench', labels: {} }
    reference = await putChild(await readImage(registry, reference), registry.repository(name), change)
  }
  return reference
}

async function forget(reference: string): Promise<void> {
  await driver().removeImage(digestIn(reference), (one) => one.includes(name))
}

/** @returns milliseconds to bring what the engine has nothing of but the base */
async function pulled(reference: string): Promise<number> {
  await forget(reference)
  return await timed(() => driver().ensureImage(reference))
}

await openCloud()
const base = await baseReference()
await driver().ensureImage(base)
const chain = await chainOn(base)
const scratch = join(layout.home, 'run', 'bench')
const flat = await flatten({ driver: driver(), registry }, chain, scratch)
const [before, after]: [number[], number[]] = [[], []]
for (let round = 0; round < rounds; round += 1) {
  before.push(await pulled(chain))
  after.push(await pulled(flat))
}
print({
  layers: layers + 1,
  pull_chain_ms: median(before),
  pull_flat_ms: median(after),
  ratio: median(before) / median(after),
})
for (const reference of [chain, flat]) await forget(reference)
for (const tag of await registry.repository(name).tags()) {
  const digest = await registry.repository(name).digestOf(tag)
  if (digest !== null) await registry.repository(name).remove(digest)
}
await rm(scratch, { recursive: true, force: true })
