/**
 * POST accepted → sshd answers, one server after the other and 8 at once, beside the engine alone: container made and started → sshd
 * answers, of the same image under the same runtime, in namespaces with a bare veth made beforehand. usage: boot [image] [rounds]
 */
import { randomUUID } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectDb } from '../db/connect.ts'
import { hostKeys } from '../driver/host-keys.ts'
import { newMac } from '../ipam/mac.ts'
import { addressOf, type Cloud } from '../machine/cloud.ts'
import { driverOf } from '../machine/down.ts'
import { ensureNamespace, removeNamespace, type Namespace } from '../netns/namespace.ts'
import { RtNetlink } from '../netns/rtnetlink.ts'
import { median, print } from './measure/figures.ts'
import { cloud as openCloud, databaseUrl, site } from './measure/site.ts'

const image = process.argv[2] ?? 'debian-12'
const rounds = Number(process.argv[3] ?? 8)
const together = 8
const here = site()
const driver = driverOf(here, join(here.layout.run, 'docker.sock'))
const { guestRootUid } = await driver.capacity()
const namespaces = { directory: join(here.layout.run, 'bench-netns'), guestRootUid }

async function hasBanner(open: () => Socket): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = open()
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(2000, () => end(false))
    socket.once('data', () => end(true))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })
}

/** A new try each 10 ms beside those that still wait: one that knocked too early must not hold up the next. */
async function banner(open: () => Socket): Promise<void> {
  let answered = false
  while (!answered) {
    void hasBanner(open).then((answer) => (answered ||= answer))
    await sleep(10)
  }
}

/** Our way. @returns milliseconds */
async function ours(cloud: Cloud): Promise<number> {
  const id = await cloud.createServer({
    name: `bench-${randomUUID()}`,
    image,
    flavor: 'm1.tiny',
    network: here.config.networkName,
    key: 'berth',
  })
  const started = performance.now()
  const address = addressOf(await cloud.server(id))
  await banner(() => connect(22, address))
  const ms = performance.now() - started
  await cloud.deleteServer(id)
  return ms
}

let nextPair = 0

interface Prepared {
  readonly serverId: string
  readonly namespace: Namespace
  readonly device: string
  readonly address: string
}

/** A namespace with a bare veth to the host: no switch, no VLAN. */
async function prepared(): Promise<Prepared> {
  const serverId = randomUUID()
  nextPair += 1
  const [device, subnet] = [`bench${nextPair}`, `169.254.${100 + nextPair}`]
  const namespace = await ensureNamespace(namespaces, serverId)
  using outside = new RtNetlink(null)
  using inside = new RtNetlink(namespace.netnsPath)
  const descriptor = openSync(namespace.netnsPath, 'r')
  try {
    const ends = { host: device, guest: 'eth0', guestMac: newMac(), mtu: 1500, netnsPath: namespace.netnsPath }
    await outside.createVeth(ends, descriptor)
  } finally {
    closeSync(descriptor)
  }
  for (const [end, name, host] of [
    [outside, device, 1],
    [inside, 'eth0', 2],
  ] as const) {
    const link = await end.link(name)
    if (!link) throw new Error(`${name} is missing`)
    await end.addAddress(link.index, { address: `${subnet}.${host}`, prefixLength: 30 })
    await end.setUp(link.index)
  }
  await inside.loopbackUp()
  return { serverId, namespace, device, address: `${subnet}.2` }
}

/** The floor. @returns milliseconds */
async function raw(imageId: string): Promise<number> {
  const { serverId, namespace, device, address } = await prepared()
  try {
    const started = performance.now()
    await driver.create({
      serverId,
      hostname: 'bench',
      image: imageId,
      vcpus: 1,
      cpuset: null,
      memoryMiB: 512,
      pidsLimit: here.config.pidsLimit,
      diskGiB: null,
      ...namespace,
      dns: [],
      hosts: [],
      files: hostKeys('bench'),
    })
    await driver.start(serverId)
    await banner(() => connect(22, address))
    return performance.now() - started
  } finally {
    await driver.remove(serverId)
    using outside = new RtNetlink(null)
    await outside.deleteLink(device)
    removeNamespace(namespaces, serverId)
  }
}

async function reference(): Promise<string> {
  const db = connectDb(await databaseUrl('berth'), { size: 1, name: 'bench' })
  try {
    return (await db('images').where({ name: image, status: 'active' }).first())?.reference ?? ''
  } finally {
    await db.destroy()
  }
}

async function gone(cloud: Cloud): Promise<void> {
  while ((await cloud.servers()).some(({ name }) => name.startsWith('bench-'))) await sleep(200)
}

const cloud = await openCloud()
const imageId = await driver.ensureImage(await reference())
await raw(imageId)
await ours(cloud)
await gone(cloud)
const [serial, floor]: [number[], number[]] = [[], []]
for (let round = 0; round < rounds; round += 1) {
  floor.push(await raw(imageId))
  serial.push(await ours(cloud))
  await gone(cloud)
}
print({ serial_ms: median(serial), serial_floor_ms: median(floor), serial_ratio: median(serial) / median(floor) })
const atOnceFloor = await Promise.all(Array.from({ length: together }, () => raw(imageId)))
const atOnce = await Promise.all(Array.from({ length: together }, () => ours(cloud)))
await gone(cloud)
print({
  at_once_ms: median(atOnce),
  at_once_floor_ms: median(atOnceFloor),
  at_once_ratio: median(atOnce) / median(atOnceFloor),
})
