/** The agent of a host stands still, its guests run on: who takes their place must not come before the host is cut off. */
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { stringify } from 'yaml'
import { configFile } from '../../../core/config.ts'
import { up } from '../../../machine/up.ts'
import { room } from '../../world/room.ts'
import { until } from '../../world/index.ts'
import { record } from '../record.ts'
import { pidOf } from '../services.ts'
import { addressOf } from '../user.ts'
import { knock } from '../witness.ts'
import { running } from './mover.ts'
import { closeScene, openScene, type Scene } from './scene.ts'

let scene: Scene
let own: string
const ids: string[] = []
const settingsPath = (): string => configFile(scene.cloud.site.layout.home)
const cable = (): string => `${scene.second.config.namePrefix}-up`

beforeAll(async () => {
  scene = await openScene()
  const { user, second, flavors } = scene
  const wish = { flavor: flavors.delta, host: second.config.hostName }
  const names = ['healed-0', 'healed-1', 'healed-2']
  ids.push(...(await Promise.all(names.map((name) => user.running(name, wish)))))
  own = await readFile(settingsPath(), 'utf8').catch(() => '')
  const healing = { afterSeconds: 20, atOnce: 2, fence: ['ip', 'link', 'set', cable(), 'down'] }
  await writeFile(settingsPath(), `${own}\n${stringify({ healing })}`)
  await up(room().config, { hello: false })
}, 900_000)
afterAll(async () => {
  await writeFile(settingsPath(), own)
  await closeScene(scene)
}, 600_000)

/** On the first host, heard at its address, with the reason in its actions. */
async function isHealed(id: string): Promise<void> {
  const { cloud, db, second, user } = scene
  const there = async (): Promise<boolean> =>
    (await db('servers').where({ id }).first())?.host === cloud.site.config.hostName
  await until(there, { timeoutMs: 180_000, what: `server ${id} to be on the other host` })
  await user.reaches(id, 'ACTIVE', 120_000)
  const seen = await user.show(id)
  await until(() => knock(seen ? addressOf(seen) : ''), { timeoutMs: 60_000, what: `${id} to answer` })
  const { text } = await user.call('GET', `/compute/v2.1/servers/${id}/os-instance-actions`)
  expect(text).toContain(`Host ${second.config.hostName} was silent for`)
}

test('a host that stays silent is fenced and its servers come up elsewhere; when it is back it starts none of them', async () => {
  const { cloud, db, second } = scene
  const name = second.config.hostName
  const pid = await until(() => pidOf({ ...cloud, site: second }, 'agent'))
  process.kill(pid, 'SIGSTOP')
  const started = performance.now()
  try {
    for (const id of ids) await isHealed(id)
    record({ fault: 'host silent, its servers healed', healMs: performance.now() - started, lost: 0, left: 0 })
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  const isRid = async (id: string): Promise<boolean> => !(await running(scene, id)).includes(name)
  for (const id of ids) await until(() => isRid(id), { timeoutMs: 120_000, what: `${name} to be rid of ${id}` })
  for (const id of ids) expect(await running(scene, id)).toEqual([cloud.site.config.hostName])
  await execa('ip', ['link', 'set', cable(), 'up'])
  await db('hosts').where({ name }).update({ isForcedDown: false, forcedDownReason: null })
}, 900_000)
