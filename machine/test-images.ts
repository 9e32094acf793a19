/** Guest images for a test run: built outside, where there is a network, and held inside, where a purge of a cloud cannot take them. */
import { copyFile, link, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hasCode } from '../core/errors.ts'
import { build, imageNames } from '../images/build.ts'
import { layerOf } from '../images/layer.ts'
import { imageCache } from './layout.ts'
import type { Site } from './parts/part.ts'

/** A second name for the same bytes; where the home is on another disk, a copy. */
async function hold(path: string, directory: string): Promise<void> {
  const target = join(directory, basename(path))
  try {
    await link(path, target)
  } catch (error) {
    if (!hasCode(error, 'EXDEV')) throw error
    await copyFile(path, target)
  }
}

/** What stands in the place of /var/cache during the run. */
function testCache({ layout }: Site): string {
  return join(layout.home, 'cache')
}

/** Every image is built and packed, and part of the home of the run, when this returns. */
export async function bringTestImages(site: Site): Promise<void> {
  const directory = join(testCache(site), 'berth', 'images')
  await mkdir(directory, { recursive: true })
  for (const name of imageNames) {
    const logFile = join(site.layout.log, `image-${name}.log`)
    const { tarPath } = await build(name, { directory: imageCache, logFile })
    const { path } = await layerOf(tarPath)
    for (const file of [tarPath, path, `${path}.json`]) await hold(file, directory)
  }
}
