/** A thousand agents in one process: each host has a driver of its own, in memory, that makes the guests of its jobs. */
import { readFile } from 'node:fs/promises'
import { Logger, run, type Runner, type Task } from 'graphile-worker'
import pg from 'pg'
import { jobs } from '../../core/jobs.ts'
import type { Server } from '../../core/server.ts'
import { powerStates } from '../../core/states.ts'
import { Together } from '../../core/together.ts'
import type { Db } from '../../db/connect.ts'
import { finish, serversById } from '../../db/servers.ts'
import type { GuestSpec } from '../../driver/driver.ts'
import { FakeDriver } from '../../driver/fake/driver.ts'
import { image } from './site.ts'

const capacity = {
  vcpus: 64,
  memoryMiB: 262_144,
  diskGiB: 4000,
  hypervisorType: 'fake',
  hypervisorVersion: '1',
  storageDriver: 'memory',
  cgroupVersion: 2,
  enforcesDisk: false,
  guestRootUid: 0,
}

/** Every agent gives a sign of life so often; here one statement gives those of a tenth of the hosts. */
const beatMs = 5000
const parts = 10

function specOf(serverId: string, imageId: string): GuestSpec {
  return {
    serverId,
    hostname: 'bench',
    image: imageId,
    vcpus: 1,
    cpuset: null,
    memoryMiB: 512,
    pidsLimit: 256,
    diskGiB: null,
    netnsPath: '/nowhere',
    usernsPath: null,
    dns: [],
    hosts: [],
    files: [],
  }
}

/** As an agent does it, but for the wires: the guest is made and started, and one guarded statement says that it runs. */
function createOn(db: Db, name: string, servers: Together<string, Server | null>): Task {
  const driver = new FakeDriver({ capacity, images: new Map([[image, true]]) })
  return async (payload) => {
    const { serverId } = jobs['server.create'].parse(payload)
    const server = await servers.ask(serverId)
    if (server?.host !== name || server.taskState !== 'spawning') return
    await driver.create(specOf(serverId, await driver.ensureImage(server.imageReference)))
    await driver.start(serverId)
    await finish(db, serverId, 'active', 'spawning', { powerState: powerStates.running, launched: true })
  }
}

export async function startFleet(db: Db, url: string, hosts: number): Promise<{ stop: () => Promise<void> }> {
  const names = Array.from({ length: hosts }, (_none, index) => `host-${index + 1}`)
  // One process reads for all hosts, so that its reading does not take what thousand machines would have done.
  const servers = new Together<string, Server | null>(async (ids) => {
    const found = await serversById(db, ids)
    return (id) => found.get(id) ?? null
  })
  const taskList = Object.fromEntries(names.map((name) => [`${name}/server.create`, createOn(db, name, servers)]))
  const pgPool = new pg.Pool({ connectionString: url, max: 6, application_name: 'fleet' })
  pgPool.on('error', (error) => process.stderr.write(`${error.message}\n`))
  const logger = new Logger(() => () => undefined)
  // One process has the jobs of all hosts: it takes them by the dozen, so that its queries do not stand for those of a thousand.
  const preset = { worker: { localQueue: { size: 32 }, completeJobBatchDelay: 5 } }
  const options = { concurrency: 16, noHandleSignals: true, pollInterval: 500, logger, preset }
  const runner: Runner = await run({ pgPool, taskList, ...options })
  let beats = 0
  const heart = setInterval(() => {
    const beating = names.filter((_name, index) => index % parts === beats % parts)
    beats += 1
    db.raw('update hosts set heartbeat_at = now() where name = any(?)', [beating]).catch((error: unknown) =>
      process.stderr.write(`${String(error)}\n`),
    )
  }, beatMs / parts)
  const stop = async (): Promise<void> => {
    clearInterval(heart)
    await runner.stop()
    await pgPool.end()
  }
  return { stop }
}

export async function loadAverage(): Promise<number> {
  return Number((await readFile('/proc/loadavg', 'utf8')).split(' ')[0])
}
