import { afterAll, beforeAll, describe } from '@jest/globals'
import { imageNames } from '../../../images/build.ts'
import { registry } from '../../world/index.ts'
import { keepsDisks } from '../../contracts/disks.ts'
import { keepsTheDriverContract } from '../../contracts/driver.ts'
import type { DriverSite } from '../../contracts/guests.ts'
import { DockerSite } from './site.ts'

const opening = 120_000

describe.each(imageNames)('guests of image %s', (name) => {
  let docker: DockerSite
  let site: DriverSite

  beforeAll(async () => {
    docker = await DockerSite.open()
    site = {
      driver: docker.driver,
      bootable: await docker.image(name),
      initless: await docker.imageWithoutInit(),
      missing: `${(await registry()).address}/images/nowhere@sha256:${'0'.repeat(64)}`,
      namespaces: (serverId) => docker.namespace(serverId),
    }
  }, opening)

  afterAll(() => docker.close())

  keepsTheDriverContract(() => site)
  describe('disks', () => {
    keepsDisks(() => site)
  })
})
