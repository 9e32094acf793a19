import { expect, test } from '@jest/globals'
import { DockerDriver } from '../../driver/docker/driver.ts'
import { docker, guestImage, registry } from '../world/index.ts'

test('an image put into the registry is one that the engine pulls and finds an init in', async () => {
  const driver = new DockerDriver({ ...(await docker()), lxcfsDir: null })
  const reference = await guestImage('debian-12-small')
  expect(await driver.ensureImage(reference)).toMatch(/^sha256:[0-9a-f]{64}$/)
})

test('the same image has the same digest, and is put there once', async () => {
  expect(await guestImage('debian-12-small')).toBe(await guestImage('debian-12-small'))
  const repository = (await registry()).repository('images/debian-12-small')
  expect(await repository.tags()).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)])
})
