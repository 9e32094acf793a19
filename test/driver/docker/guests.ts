/** Guests of the small image on the engine of the test run, removed after each test. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll } from '@jest/globals'
import Docker from 'dockerode'
import type { GuestSpec } from '../../../driver/driver.ts'
import { DockerSite } from './site.ts'

export class Guests {
  readonly site: DockerSite
  readonly docker: Docker
  readonly image: string
  readonly #made: string[] = []

  private constructor(site: DockerSite, image: string) {
    this.site = site
    this.docker = new Docker({ socketPath: site.engine.socketPath })
    this.image = image
  }

  static async open(): Promise<Guests> {
    const site = await DockerSite.open()
    return new Guests(site, await site.driver.ensureImage(await site.image('debian-12-small')))
  }

  async specOf(change: Partial<GuestSpec> = {}): Promise<GuestSpec> {
    const serverId = randomUUID()
    this.#made.push(serverId)
    const files = [{ path: '/root/.ssh/authorized_keys', mode: 0o600, content: 'key', owner: 'root' }] as const
    const namespace = await this.site.namespace(serverId)
    const size = { vcpus: 1, cpuset: null, memoryMiB: 256, pidsLimit: 200, diskGiB: null }
    return {
      serverId,
      hostname: 'quay',
      image: this.image,
      ...size,
      ...namespace,
      dns: [],
      hosts: [],
      files,
      ...change,
    }
  }

  async running(change: Partial<GuestSpec> = {}): Promise<GuestSpec> {
    const spec = await this.specOf(change)
    await this.site.driver.create(spec)
    await this.site.driver.start(spec.serverId)
    return spec
  }

  containerOf({ serverId }: GuestSpec): Docker.Container {
    return this.docker.getContainer(`berth-${serverId}`)
  }

  async groupValue(spec: GuestSpec, file: string): Promise<string> {
    const { Id } = await this.containerOf(spec).inspect()
    const [hierarchy, ...name] = file.split('/')
    const path = join('/sys/fs/cgroup', hierarchy ?? '', this.site.engine.cgroupParent, Id, ...name)
    return (await readFile(path, 'utf8')).trim()
  }

  async removeAll(): Promise<void> {
    for (const serverId of this.#made.splice(0)) await this.site.driver.remove(serverId)
  }
}

/** Opened for the tests of a file, and closed after them. @returns what asks for the guests in a test */
export function openGuests(): () => Guests {
  let guests: Guests
  beforeAll(async () => {
    guests = await Guests.open()
  }, 120_000)
  afterEach(() => guests.removeAll())
  afterAll(() => guests.site.close())
  return () => guests
}
