import { join } from 'node:path'
import { build, type Flavour } from '../../images/build.ts'
import { imageCache } from '../../machine/layout.ts'
import { publishImage } from '../../driver/docker/images.ts'
import { docker, registry } from './engines.ts'
import { room } from './room.ts'

/** @returns the reference, by digest, under which the registry of the test run has the image */
export async function guestImage(flavour: Flavour): Promise<string> {
  const [{ socketPath }, address] = [await docker(), await registry()]
  const logFile = join(room().layout.log, `image-${flavour}.log`)
  const { tarPath, changes, recipe } = await build(flavour, { directory: imageCache, logFile })
  return await publishImage(socketPath, { tarPath, name: `${address}/images/${flavour}`, tag: recipe, changes })
}
