/** A host with images, on a real engine, and a registry of the test's own. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll } from '@jest/globals'
import { execa } from 'execa'
import { pino } from 'pino'
import { pack, type Header } from 'tar-stream'
import { stringify } from 'yaml'
import type { ImageHost } from '../../agent/image-care.ts'
import { Turns } from '../../agent/turns.ts'
import { settings } from '../../core/config.ts'
import { digestIn } from '../../db/host-images.ts'
import { activateImage, insertImage } from '../../db/new-images.ts'
import { DockerDriver } from '../../driver/docker/driver.ts'
import { plainConfig, putChild, readImage, type StoredImage } from '../../registry/image.ts'
import { configType, manifestShape } from '../../registry/manifest.ts'
import { Registry } from '../../registry/registry.ts'
import { addHost, startApi, type TestApi } from '../api/fixture.ts'
import { docker, until } from '../world/index.ts'

export const address = '127.0.0.1:5031'
export const labels = { 'berth.init': 'runit', 'org.example.kept': 'yes' }

export type Entry = Partial<Header> & Pick<Header, 'name'> & { readonly content?: string | Buffer }

export const bytes = (size: number): Entry => ({ name: 'etc/bytes', content: randomBytes(size) })

function archiveOf(entries: readonly Entry[]): Readable {
  const archive = pack()
  for (const { content, ...header } of entries) archive.entry(header, content ?? '')
  archive.finalize()
  return Readable.from(archive)
}

function serve(file: string) {
  return execa('docker-registry', ['serve', file], { reject: false })
}

interface Wish {
  readonly visibility?: 'public' | 'private'
  readonly layers?: number
  readonly serverId?: string
}

export class ImageSite {
  readonly home: string
  readonly store: Registry
  readonly api: TestApi
  readonly host: ImageHost
  readonly #serving: ReturnType<typeof serve>

  private constructor(
    { home, store, api, host }: Pick<ImageSite, 'home' | 'store' | 'api' | 'host'>,
    serving: ReturnType<typeof serve>,
  ) {
    this.home = home
    this.store = store
    this.api = api
    this.host = host
    this.#serving = serving
  }

  static async open(): Promise<ImageSite> {
    const home = await mkdtemp(join(tmpdir(), 'care-'))
    await mkdir(join(home, 'registry'))
    const file = join(home, 'registry', 'config.yml')
    const storage = { filesystem: { rootdirectory: join(home, 'registry', 'data') }, delete: { enabled: true } }
    await writeFile(file, stringify({ version: 0.1, log: { level: 'error' }, storage, http: { addr: address } }))
    const serving = serve(file)
    const store = new Registry({ address, isSecure: false, ca: null, credentials: null })
    await until(() => store.answers(1000), { timeoutMs: 30_000 })
    const api = await startApi({ home }, { registry: store })
    await addHost(api.db, 'host-1')
    const host = await freshHost({ home, store, api })
    return new ImageSite({ home, store, api, host }, serving)
  }

  async close(): Promise<void> {
    for (const reference of await this.host.driver.images())
      if (reference.startsWith(address))
        await (await this.freshHost()).driver.removeImage(digestIn(reference), () => true)
    await this.api.stop()
    this.#serving.kill()
    await this.#serving
    await rm(this.home, { recursive: true })
  }

  async freshHost(more: Readonly<Record<string, unknown>> = {}): Promise<ImageHost> {
    return await freshHost(this, more)
  }

  /** An image of one layer, that an engine takes. */
  async put(name: string, entries: readonly Entry[]): Promise<string> {
    const config = { ...plainConfig(), config: { Cmd: ['/sbin/init'], Env: ['KEPT=1'], WorkingDir: '/srv' } }
    const manifest = manifestShape.parse({
      schemaVersion: 2,
      config: { mediaType: configType, digest: '', size: 0 },
      layers: [],
    })
    const nothing: StoredImage = { repository: this.store.repository(name), manifest, config }
    const change = { archive: archiveOf(entries), isWhole: true, createdBy: 'test', labels }
    return await putChild(nothing, this.store.repository(name), change)
  }

  async putOn(parent: string, name: string, entries: readonly Entry[]): Promise<string> {
    const change = { archive: archiveOf(entries), isWhole: false, createdBy: 'test', labels: {} }
    return await putChild(await readImage(this.store, parent), this.store.repository(name), change)
  }

  /** The row of an image that has these bytes. @returns its id */
  async row(reference: string, { visibility = 'private', layers = 1, serverId }: Wish = {}): Promise<string> {
    const wish = { projectId: 'project-shop', name: 'x', visibility, serverId: serverId ?? null }
    const { id } = await insertImage(this.api.db, wish)
    const stored = { reference, sizeBytes: 1, layers, fileDigest: null, checksum: null, sha512: null }
    await activateImage(this.api.db, id, stored)
    return id
  }

  async isHere(reference: string): Promise<boolean> {
    return (await this.host.driver.images()).some((one) => one.endsWith(digestIn(reference)))
  }

  async isStored(reference: string): Promise<boolean> {
    const tags = await this.store.repository(this.store.of(reference).repository.name).tags()
    return tags.includes(digestIn(reference).replace(':', '-'))
  }
}

/** What an agent has just after its start: it was asked for nothing yet. */
async function freshHost(
  { home, store, api }: Pick<ImageSite, 'home' | 'store' | 'api'>,
  more: Readonly<Record<string, unknown>> = {},
): Promise<ImageHost> {
  const sources = (reference: string) => Promise.resolve([{ reference, authconfig: null }])
  const driver = new DockerDriver({ ...(await docker()), lxcfsDir: null, sources })
  const care = { imageIdleHours: 0, registryKeepHours: 0, imageLayers: 4, ...more }
  const config = settings.parse({ home, registryPort: 5031, ...care })
  const log = pino({ level: 'silent' })
  return { name: 'host-1', config, db: api.db, driver, registry: store, log, turns: new Turns(1) }
}

/** Opened for the tests of a file, and closed after them. @returns what asks for it in a test */
export function openImages(): () => ImageSite {
  let site: ImageSite
  beforeAll(async () => {
    site = await ImageSite.open()
  }, 180_000)
  afterAll(() => site.close(), 60_000)
  return () => site
}
