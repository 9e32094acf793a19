import { join } from 'node:path'
import { build, type ImageName } from '../../images/build.ts'
import { publish } from '../../images/publish.ts'
import { imageCache } from '../../machine/layout.ts'
import { registry } from './engines.ts'
import { room } from './room.ts'

/** @returns the reference, by digest, under which the registry of the test run has the image; `DockerDriver.ensureImage` takes it */
export async function guestImage(name: ImageName): Promise<string> {
  const logFile = join(room().layout.log, `image-${name}.log`)
  const image = await build(name, { directory: imageCache, logFile })
  return await publish(image, { registry: await registry(), name: `images/${name}` })
}
