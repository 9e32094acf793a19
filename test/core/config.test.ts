import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { configFile, loadConfig, settings, variableOf } from '../../core/config.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'config-'))
})
afterEach(async () => {
  await rm(home, { recursive: true })
})

test('the environment stands above the file, the file above the defaults', async () => {
  await writeFile(configFile(home), 'apiPort: 9000\nregion: here\n')
  const config = loadConfig({ BERTH_HOME: home, BERTH_API_PORT: '9001' })
  expect([config.apiPort, config.region, config.registryPort]).toEqual([9001, 'here', 5010])
})

test('a bad value names the variable and the reason', () => {
  expect(() => loadConfig({ BERTH_HOME: home, BERTH_API_PORT: '70000' })).toThrow(/BERTH_API_PORT: apiPort: .*65535/)
})

test('an unknown setting in the file is named', async () => {
  await writeFile(configFile(home), 'apiPrt: 9000\n')
  expect(() => loadConfig({ BERTH_HOME: home })).toThrow(/berth.yaml: unknown setting apiPrt/)
})

test('every setting says what it is for and can be told by a variable of its own', () => {
  const names = Object.keys(settings.shape)
  for (const schema of Object.values(settings.shape)) expect(schema.description).toBeTruthy()
  expect(new Set(names.map(variableOf)).size).toBe(names.length)
})
