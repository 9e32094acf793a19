import { expect, test } from '@jest/globals'
import type { DockerDriver } from '../../../driver/docker/driver.ts'
import { lastLines } from '../../../driver/docker/open-line.ts'
import { until } from '../../world/index.ts'
import { openGuests } from './guests.ts'

const opened = openGuests()

async function says(driver: DockerDriver, serverId: string, text: string): Promise<void> {
  const command = ['sh', '-c', `printf '${text}' >/dev/console`]
  expect(await driver.exec(serverId, command, 10_000)).toMatchObject({ exitCode: 0 })
}

test('the console tells a line that has not ended, and as one line when it ends', async () => {
  const guests = opened()
  const { driver } = guests.site
  // As an agent does: what a guest wrote before anybody listened is in no log until its line ends.
  const watch = new AbortController()
  const watched = driver.watchExits(() => undefined, watch.signal)
  // It would write behind the prompt.
  const noCloudInit = { path: '/etc/cloud/cloud-init.disabled', mode: 0o644, content: '', owner: 'root' } as const
  const { serverId } = await guests.running({ files: [noCloudInit] })
  const reads = (text: string): Promise<unknown> =>
    until(async () => (await driver.consoleLog(serverId, 1)) === text, {
      timeoutMs: 30_000,
      what: JSON.stringify(text),
    })
  await reads('quay login: ')
  await says(driver, serverId, '\\nready\\nname: ')
  await reads('name: ')
  expect(await driver.consoleLog(serverId, 2)).toBe('ready\nname: ')
  await says(driver, serverId, 'hold\\n')
  await reads('name: hold\n')
  await says(driver, serverId, 'left open')
  await driver.stop(serverId, 0)
  await until(async () => (await driver.consoleLog(serverId, null)).split('left open').length === 2)
  await driver.start(serverId)
  await reads('quay login: ')
  watch.abort()
  await watched
}, 120_000)

test('a guest is heard from its first word on', async () => {
  const guests = opened()
  const { driver } = guests.site
  const watch = new AbortController()
  const watched = driver.watchExits(() => undefined, watch.signal)
  const content = "#!/bin/sh\nprintf 'first word: ' >/dev/console\nexec sleep 1000\n"
  const { serverId } = await guests.running({ files: [{ path: '/etc/runit/1', mode: 0o755, content, owner: 'root' }] })
  await until(async () => (await driver.consoleLog(serverId, 1)).endsWith('first word: '), {
    timeoutMs: 20_000,
    what: 'its first word',
  })
  watch.abort()
  await watched
}, 60_000)

test.each([
  ['a\nb\nc', 1, 'c'],
  ['a\nb\nc\n', 1, 'c\n'],
  ['a\n\nc\n', 2, '\nc\n'],
  ['a\nb', 5, 'a\nb'],
  ['', 1, ''],
  ['a\nb', null, 'a\nb'],
])('of %j the last lines, at most %j, are %j', (text, count, last) => {
  expect(lastLines(text, count)).toBe(last)
})
