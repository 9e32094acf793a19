/** `./berth schedule --dry-run`, as a process of its own on a database. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { addHost, boot, place, startApi, type TestApi } from '../api/fixture.ts'

const main = fileURLToPath(new URL('../../scheduler/explain/main.ts', import.meta.url))

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  for (const name of ['host-1', 'host-2']) await addHost(api.db, name)
  await place(api.db, await boot(api, { name: 'near' }))
  for (const name of ['pair', 'twins', 'twins'])
    await api.member('POST /compute/v2.1/os-server-groups', {
      body: { server_group: { name, policies: ['affinity'] } },
    })
})
afterAll(async () => {
  await api.stop()
})

interface Said {
  readonly code: unknown
  readonly text: string
}

async function schedule(...words: readonly string[]): Promise<Said> {
  const env = { PATH: process.env.PATH, DATABASE_URL: api.databaseUrl, BERTH_HOME: '/nowhere' }
  return await new Promise((resolve) => {
    const command = ['--disable-warning=ExperimentalWarning', main, '--dry-run', '--flavor', 'm1.tiny', ...words]
    execFile(process.execPath, command, { env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, text: `${stdout}${stderr}` }),
    )
  })
}

test('servers, groups, hosts and projects are called by their names', async () => {
  const said = await schedule('--same-host', 'near', '--group', 'pair', '--host', 'host-1', '--project', 'admin')
  expect(said.text).toContain('✓ 1. host-1: ')
  expect(said.text).toContain('✗ host-2: ')
  expect(said.code).toBe(0)
})

test.each([
  ['--same-host', 'Server nope could not be found.'],
  ['--group', 'Server group nope could not be found.'],
  ['--project', 'Project nope could not be found.'],
])('%s with a name of nothing is no answer', async (option, sentence) => {
  expect(await schedule(option, 'nope')).toEqual({ code: 2, text: `berth: ${sentence}\n` })
})

test('a name that two groups bear is asked for by id', async () => {
  const { code, text } = await schedule('--group', 'twins')
  expect([code, text]).toEqual([2, 'berth: --group: several groups are called twins; say the id of one\n'])
})
