/** Guests of the driver contract: each is removed after its test, with a look whether any is left. */
import { randomUUID } from 'node:crypto'
import { afterEach, expect } from '@jest/globals'
import type { ComputeDriver, Guest, GuestExit, GuestSpec } from '../../driver/driver.ts'
import { until } from '../world/until.ts'

export interface DriverSite {
  readonly driver: ComputeDriver
  /** references of images: one that boots, one without an init, one that is nowhere */
  readonly bootable: string
  readonly initless: string
  readonly missing: string
  /** the namespaces that a guest of this server is to be born into */
  readonly namespaces: (serverId: string) => Promise<Pick<GuestSpec, 'netnsPath' | 'usernsPath'>>
}

export const greeting = 'Grüße aus dem Hafen\n'

/** A small guest with one file of its own. */
export async function specFor(
  { driver, bootable, namespaces }: DriverSite,
  change: Partial<GuestSpec> = {},
): Promise<GuestSpec> {
  const serverId = change.serverId ?? randomUUID()
  return {
    serverId,
    hostname: 'quay',
    image: await driver.ensureImage(bootable),
    vcpus: 1,
    cpuset: null,
    memoryMiB: 256,
    pidsLimit: 256,
    diskGiB: null,
    ...(await namespaces(serverId)),
    dns: [],
    hosts: [{ address: '127.0.1.1', names: ['quay'] }],
    files: [{ path: '/etc/greeting', mode: 0o644, content: greeting, owner: 'root' }],
    ...change,
  }
}

export interface ContractGuests {
  readonly specOf: (change?: Partial<GuestSpec>) => Promise<GuestSpec>
  readonly created: (change?: Partial<GuestSpec>) => Promise<Guest & { readonly serverId: string }>
  readonly running: () => Promise<string>
  /** Its init listens to its administrator: sshd is among the last things that it starts. */
  readonly booted: () => Promise<string>
  /** What the watcher is told of this guest while `work` goes on, up to its first end. */
  readonly exitsDuring: (serverId: string, work: () => Promise<unknown>) => Promise<readonly GuestExit[]>
}

/** @param site is asked in each test: it may exist only when the tests run */
export function contractGuests(site: () => DriverSite): ContractGuests {
  const made: string[] = []

  async function specOf(change: Partial<GuestSpec> = {}): Promise<GuestSpec> {
    const spec = await specFor(site(), change)
    made.push(spec.serverId)
    return spec
  }
  async function created(change: Partial<GuestSpec> = {}): Promise<Guest & { readonly serverId: string }> {
    const spec = await specOf(change)
    return { ...(await site().driver.create(spec)), serverId: spec.serverId }
  }
  async function running(): Promise<string> {
    const { serverId } = await created()
    await site().driver.start(serverId)
    return serverId
  }
  async function booted(): Promise<string> {
    const serverId = await running()
    const isUp = async (): Promise<boolean> =>
      (await site().driver.exec(serverId, ['pgrep', '-x', 'sshd'], 5000)).exitCode === 0
    await until(isUp, { timeoutMs: 30_000, what: 'the boot of a guest' })
    return serverId
  }
  async function exitsDuring(serverId: string, work: () => Promise<unknown>): Promise<readonly GuestExit[]> {
    const exits: GuestExit[] = []
    const watch = new AbortController()
    const watched = site().driver.watchExits((exit) => exits.push(exit), watch.signal)
    try {
      await work()
      await until(() => exits.some((exit) => exit.serverId === serverId), { timeoutMs: 30_000, what: 'an exit' })
    } finally {
      watch.abort()
      await watched
    }
    return exits.filter((exit) => exit.serverId === serverId)
  }

  afterEach(async () => {
    for (const serverId of made.splice(0)) await site().driver.remove(serverId)
    expect((await site().driver.list()).filter(({ serverId }) => serverId !== null)).toEqual([])
  })

  return { specOf, created, running, booted, exitsDuring }
}
