/** A target that has no room for what comes: the server stays where it is, whole. */
import { rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { until } from '../../world/index.ts'
import { smallDisk } from '../small-disk.ts'
import { act, endsWell, isAt, isWhole, mover, settled } from './mover.ts'
import { closeScene, openScene, transports, type Scene } from './scene.ts'

/** Guest images and one more guest have half of it. */
const sizeMiB = 5000

let scene: Scene
beforeAll(async () => {
  scene = await openScene()
}, 900_000)
afterAll(() => closeScene(scene), 600_000)

/** Most of the room at once: the move does not wait. @returns takes it back */
async function take(directory: string): Promise<() => Promise<void>> {
  const { bavail, bsize } = await statfs(directory)
  const path = join(directory, 'taken')
  await execa('fallocate', ['--length', String(Math.floor(bavail * bsize * 0.98)), path])
  return async () => {
    await rm(path)
  }
}

async function targetIsWell(): Promise<void> {
  const { db, second } = scene
  const isWell = async (): Promise<boolean> =>
    (await db('hosts').where({ name: second.config.hostName }).first())?.problem === null
  await until(isWell, { timeoutMs: 90_000, what: 'the target to be well' })
}

test.each(transports)(
  'the disk of the target is full during a move by %s',
  async (transport) => {
    const { cloud, second } = scene
    const directory = join(second.layout.home, 'docker')
    const disk = await smallDisk({ ...cloud, site: second }, { directory, parts: ['agent', 'docker'], sizeMiB })
    try {
      await targetIsWell()
      const one = await mover(scene, 'squeezed', { transport, mebibytes: 300 })
      await act(scene, one.id, { migrate: null })
      await isAt(scene, one.id, 'sync')
      const giveBack = await take(directory)
      await disk.fill()
      expect(await settled(scene, one.id)).toBe('ACTIVE')
      await isWhole(scene, one)
      await disk.free()
      await giveBack()
      await targetIsWell()
      await endsWell(scene, one, `disk of the target full during a move by ${transport}`)
    } finally {
      await disk.free()
      await disk.remove()
    }
  },
  900_000,
)
