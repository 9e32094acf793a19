/** The real driver on the engine of the test run, and namespaces for its guests. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { DockerDriver } from '../../../driver/docker/driver.ts'
import { ensureNamespace, listNamespaces, removeNamespace, type Namespace } from '../../../netns/namespace.ts'
import type { ImageName } from '../../../images/build.ts'
import { publish } from '../../../images/publish.ts'
import { docker, guestImage, registry, type Engine } from '../../world/index.ts'

export class DockerSite {
  readonly driver: DockerDriver
  readonly engine: Engine
  readonly directory: string
  readonly #guestRootUid: number

  private constructor(engine: Engine, driver: DockerDriver, at: { directory: string; guestRootUid: number }) {
    this.engine = engine
    this.driver = driver
    this.directory = at.directory
    this.#guestRootUid = at.guestRootUid
  }

  static async open(lxcfsDir: string | null = null): Promise<DockerSite> {
    const engine = await docker()
    const driver = new DockerDriver({ ...engine, lxcfsDir })
    const { guestRootUid } = await driver.capacity()
    return new DockerSite(engine, driver, { directory: await mkdtemp(join(tmpdir(), 'driver-')), guestRootUid })
  }

  async image(name: ImageName): Promise<string> {
    return await guestImage(name)
  }

  /** An image that holds one file, and nothing that could be started. */
  async imageWithoutInit(): Promise<string> {
    await writeFile(join(this.directory, 'file'), 'nothing to boot\n')
    const tarPath = join(this.directory, 'initless.tar')
    await execa('tar', ['--create', `--file=${tarPath}`, `--directory=${this.directory}`, 'file'])
    const config = { Cmd: [], Env: [], Labels: {} }
    const image = { name: 'debian-12-small', recipe: 'initless', tarPath, config } as const
    return await publish(image, { registry: await registry(), name: 'images/initless' })
  }

  async namespace(serverId: string): Promise<Namespace> {
    return await ensureNamespace(this.#namespaces(), serverId)
  }

  /** Namespaces and files of the tests are gone when this returns. */
  async close(): Promise<void> {
    await this.driver.sweep()
    for (const name of listNamespaces(this.#namespaces())) removeNamespace(this.#namespaces(), name)
    await rm(this.directory, { recursive: true })
  }

  #namespaces(): { readonly directory: string; readonly guestRootUid: number } {
    return { directory: join(this.directory, 'netns'), guestRootUid: this.#guestRootUid }
  }
}
