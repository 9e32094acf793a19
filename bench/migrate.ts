/**
 * A server's move to another host and back: how long nobody answers, beside the same by hand in the same run: docker stop, commit, push,
 * pull, run. By both transports. Needs a cloud of two hosts: ./berth up --hosts 2. usage: migrate [--rounds N] [MiB of changes ...]
 */
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { connect as connectDb } from '../db/connect.ts'
import { addressOf, type Cloud } from '../machine/cloud.ts'
import { sshWords } from '../machine/hello.ts'
import { hostsBeside } from '../machine/hosts.ts'
import type { Site } from '../machine/parts/part.ts'
import { median, print, timed } from './measure/figures.ts'
import { cloud as openCloud, databaseUrl, dockerClient, site } from './measure/site.ts'

const image = 'debian-12-small'
const { values, positionals } = parseArgs({ options: { rounds: { type: 'string' } }, allowPositionals: true })
const rounds = Number(values.rounds ?? 3)
const sizes = positionals.length > 0 ? positionals.map(Number) : [0, 100, 1024]
const transports = ['delta', 'registry'] as const
const here = site()
const client = await dockerClient()
const [second] = hostsBeside(here)
if (!second) throw new Error('this machine is one host: ./berth up --hosts 2')

async function answers(address: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(22, address)
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(300, () => end(false))
    socket.once('data', () => end(true))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })
}

/** @returns milliseconds of the longest time without an answer while `work` goes on, and until one after it */
async function silence(address: string, work: () => Promise<void>): Promise<number> {
  let [longest, last, isOver, isAfter] = [0, performance.now(), false, false]
  const watching = (async () => {
    while (!isAfter) {
      if (await answers(address)) {
        longest = Math.max(longest, performance.now() - last)
        last = performance.now()
        isAfter = isOver
      }
      await sleep(10)
    }
  })()
  await work()
  isOver = true
  await watching
  return longest
}

async function write(address: string, mebibytes: number): Promise<void> {
  const command = `dd if=/dev/urandom of=/root/changes bs=1M count=${mebibytes} 2>/dev/null; sync`
  await execa('ssh', [...sshWords(here, address), command], { timeout: 120_000 })
}

async function reaches(cloud: Cloud, id: string, status: string): Promise<void> {
  while ((await cloud.server(id)).status !== status) await sleep(50)
}

function flavorOf(transport: string): string {
  return `bench-${transport}`
}

/** Flavors that say by which transport their servers move. */
async function withFlavors(work: () => Promise<void>): Promise<void> {
  const db = connectDb(await databaseUrl('berth'), { size: 1, name: 'bench' })
  const size = { vcpus: 1, memoryMiB: 512, diskGiB: 2 }
  try {
    for (const transport of transports) {
      const extraSpecs = { 'berth:transport': transport }
      await db('flavors').insert({ id: randomUUID(), name: flavorOf(transport), ...size, extraSpecs })
    }
    await work()
  } finally {
    await db('flavors').whereIn('name', transports.map(flavorOf)).delete()
    await db.destroy()
  }
}

/** Our way. @returns milliseconds that nobody answered */
async function ours(cloud: Cloud, mebibytes: number, transport: (typeof transports)[number]): Promise<number> {
  const wanted = {
    name: `bench-${randomUUID()}`,
    image,
    flavor: flavorOf(transport),
    network: here.config.networkName,
    key: 'berth',
  }
  const id = await cloud.createServer(wanted)
  try {
    await reaches(cloud, id, 'ACTIVE')
    const address = addressOf(await cloud.server(id))
    while (!(await answers(address))) await sleep(20)
    await write(address, mebibytes)
    return await silence(address, async () => {
      await cloud.act(id, { migrate: null })
      await reaches(cloud, id, 'VERIFY_RESIZE')
    })
  } finally {
    await cloud.deleteServer(id)
    while ((await cloud.servers()).some((one) => one.id === id)) await sleep(100)
  }
}

async function docker({ layout }: Site, ...words: readonly string[]): Promise<void> {
  const engine = ['--config', client, '-H', `unix://${join(layout.run, 'docker.sock')}`]
  await execa('docker', [...engine, ...words], { timeout: 300_000 })
}

async function pidOn(other: Site, name: string): Promise<string> {
  const engine = ['-H', `unix://${join(other.layout.run, 'docker.sock')}`]
  return (await execa('docker', [...engine, 'inspect', '--format={{.State.Pid}}', name])).stdout
}

/** Returns when a container that has no wires says who answers at its port 22. */
async function speaks(other: Site, name: string): Promise<void> {
  const ask = 'until (exec 3<>/dev/tcp/127.0.0.1/22 && read -rt1 -u3 _) 2>/dev/null; do sleep 0.01; done'
  await execa('nsenter', [`--net=/proc/${await pidOn(other, name)}/ns/net`, 'bash', '-c', ask], { timeout: 60_000 })
}

interface ByHand {
  /** milliseconds from the stop here until the engine there has started it */
  readonly startedMs: number
  /** and until it says something at its port 22 */
  readonly saidMs: number
}

/** The floor: the engine and nothing else, no wires, no shutting down. */
async function byHand(other: Site, reference: string, mebibytes: number): Promise<ByHand> {
  const name = `bench-${randomUUID()}`
  const target = `${reference.split('/')[0] ?? ''}/bench/${name}:1`
  const run = ['run', '--detach', '--net=none', '--entrypoint=/sbin/init', `--name=${name}`]
  await docker(here, ...run, reference)
  await speaks(here, name)
  try {
    await docker(here, 'exec', name, 'dd', 'if=/dev/urandom', 'of=/root/changes', 'bs=1M', `count=${mebibytes}`)
    await docker(other, 'pull', '--quiet', reference)
    const startedMs = await timed(async () => {
      await docker(here, 'stop', '--time=0', name)
      await docker(here, 'commit', name, target)
      await docker(here, 'push', '--quiet', target)
      await docker(other, 'pull', '--quiet', target)
      await docker(other, ...run, target)
    })
    return { startedMs, saidMs: startedMs + (await timed(() => speaks(other, name))) }
  } finally {
    for (const host of [here, other]) await docker(host, 'rm', '--force', name)
    for (const host of [here, other]) await docker(host, 'rmi', '--force', target)
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

async function measure(cloud: Cloud, other: Site, base: string, mebibytes: number): Promise<void> {
  const floor: ByHand[] = []
  const silent: Record<(typeof transports)[number], number[]> = { delta: [], registry: [] }
  for (let round = 0; round < rounds; round += 1) {
    floor.push(await byHand(other, base, mebibytes))
    for (const transport of transports) silent[transport].push(await ours(cloud, mebibytes, transport))
  }
  const saidMs = median(floor.map((one) => one.saidMs))
  print({
    [`by_hand_${mebibytes}_mib_started_ms`]: median(floor.map((one) => one.startedMs)),
    [`by_hand_${mebibytes}_mib_ms`]: saidMs,
    [`delta_${mebibytes}_mib_ms`]: median(silent.delta),
    [`registry_${mebibytes}_mib_ms`]: median(silent.registry),
    [`registry_${mebibytes}_mib_ratio`]: median(silent.registry) / saidMs,
  })
}

const cloud = await openCloud()
const base = await reference()
const other = second
await withFlavors(async () => {
  await ours(cloud, 0, 'delta')
  for (const mebibytes of sizes) await measure(cloud, other, base, mebibytes)
})
