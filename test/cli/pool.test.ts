/** The words of an operator, said to the real API. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { password, startApi, type TestApi } from '../api/fixture.ts'

let api: TestApi
let directory: string
beforeAll(async () => {
  api = await startApi()
  directory = await mkdtemp(join(tmpdir(), 'pool-'))
})
afterAll(async () => {
  await api.stop()
  await rm(directory, { recursive: true })
})

interface Said {
  readonly exitCode: number | undefined
  readonly out: string
  readonly error: string
}

async function say(...words: readonly string[]): Promise<Said> {
  const main = resolve('cli', 'main.ts')
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', main, 'pool', ...words],
    {
      reject: false,
      timeout: 60_000,
      extendEnv: false,
      env: {
        OS_AUTH_URL: `${api.url}/identity/v3`,
        OS_USERNAME: 'admin',
        OS_PASSWORD: password,
        OS_PROJECT_NAME: 'admin',
      },
    },
  )
  return { exitCode, out: stdout, error: stderr }
}

async function said(...words: readonly string[]): Promise<string> {
  const { exitCode, out, error } = await say(...words)
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' })
  return out
}

test('an operator makes a pool, holds addresses in it, and sees them', async () => {
  expect(await said('create', 'dock', '10.50.0.0/28', '--vlan', '50', '--quarantine', '60')).toMatch(
    /VLAN 50, MTU 1500.*\n.*10\.50\.0\.0\/28, gateway 10\.50\.0\.1, 13 of 13 free \(ok/,
  )
  expect(await said('reserve', 'dock', '--for', 'web-1', '--note', 'rack 7')).toMatch(
    /10\.50\.0\.2 .*reserved .*web-1 .*rack 7/,
  )
  expect(await said('reserve', 'dock', '10.50.0.9')).toMatch(/10\.50\.0\.9/)
  expect(await said('list')).toMatch(/^POOL .*\n(.*\n)*dock +50 +10\.50\.0\.0\/28 +13 +0 +2 +0 +11 +15 % +ok/)
  expect(await said('show', 'dock')).toMatch(/hands out 10\.50\.0\.2 to 10\.50\.0\.14\n\nADDRESS/)
  expect(await said('find', 'web-1')).toMatch(/10\.50\.0\.2 /)
  expect(await said('map', 'dock')).toBe(
    '10.50.0.0/28\n10.50.0.0   ··R······R······\n█ used  R reserved  q in quarantine  · not taken',
  )
  await said('move', 'dock', '10.50.0.2', 'web-2')
  await said('release', 'dock', '10.50.0.9')
  expect(await said('exclude', 'dock', '10.50.0.10-10.50.0.14')).toMatch(/8 of 8|7 of 8|6 of 8/)
  expect(JSON.parse(await said('find', '10.50.0.2', '--json'))).toMatchObject([{ reserved_for: 'web-2', until: null }])
})

test('a file with a bad line is not imported, and the line is named', async () => {
  await said('create', 'pier', '10.51.0.0/28')
  const file = join(directory, 'addresses.csv')
  await writeFile(file, 'address,name,note\n10.51.0.4,web-1,old\n10.99.0.4,web-2,\n')
  const refused = await say('import', 'pier', file)
  expect(refused).toMatchObject({ exitCode: 2, out: "line 3, 10.99.0.4: '10.99.0.4' is in no subnet of this pool" })
  await writeFile(file, 'address,name,note\n10.51.0.4\n10.51.0.5,web-1,old,new\n,web-2,\n10.51.0.6,web-3,\n')
  expect((await say('import', 'pier', file, '--dry-run')).out.split('\n')).toEqual([
    'line 2, 10.51.0.4: its columns are not those of the header',
    'line 3, 10.51.0.5: its columns are not those of the header',
    "line 4, : '' is not an IP address",
  ])
  for (const text of ['address;name\n10.51.0.4;web-1\n', 'address,name,note\nweb-1\n']) {
    await writeFile(file, text)
    const { exitCode, out, error } = await say('import', 'pier', file)
    expect(exitCode).not.toBe(0)
    expect(`${out}${error}`).toMatch(/^(berth: |line \d)/)
    expect(error.split('\n')).toHaveLength(1)
  }
  await writeFile(file, 'address,name,note\n10.51.0.4,web-1,old\n')
  expect(await said('import', 'pier', file, '--dry-run')).toBe('1 address would be reserved')
  expect(await said('import', 'pier', file)).toBe('1 address reserved')
  expect(await said('export', 'pier')).toBe('address,name,note,state,mac\n10.51.0.4,web-1,old,reserved,')
})

test('what is wrong is said in one sentence, with an exit code', async () => {
  expect(await say('show', 'nowhere')).toMatchObject({ exitCode: 1, error: 'berth: Pool nowhere could not be found.' })
  expect((await say('grow', 'dock', 'here')).error).toMatch(/^berth: .*here/)
  expect((await say('create', 'dock', '10.52.0.0/28')).error).toMatch(/^berth: name: a pool named dock exists already/)
  for (const words of [
    ['dance'],
    ['show'],
    ['create', 'dock', '10.52.0.0/28', '--mtu', 'wide'],
    ['set', 'dock'],
    ['group', 'show'],
  ])
    expect(await say(...words)).toMatchObject({ exitCode: 2, error: expect.stringMatching(/^(error|berth): /) })
})

test('pools stand in a group in the order in which they are tried', async () => {
  await said('create', 'quay-1', '10.53.0.0/28')
  await said('create', 'quay-2', '10.53.1.0/28', '--json')
  expect(await said('group', 'create', 'quays', 'quay-2', 'quay-1')).toMatch(/^GROUP .*\nquays +quay-2, quay-1 /)
  expect((await say('group', 'create', 'twice', 'quay-1', 'quay-1')).error).toMatch(/is named twice$/)
  expect(JSON.parse(await said('group', 'list', '--json'))).toMatchObject([
    { name: 'quays', pools: ['quay-2', 'quay-1'] },
  ])
  await said('group', 'delete', 'quays')
  expect(await said('group', 'list')).toBe('none')
})

test('how long addresses rest and when a pool warns is changed while it is in use', async () => {
  await said('create', 'wharf', '10.54.0.0/29', '--mtu', '1400', '--gateway', 'none')
  await said('reserve', 'wharf')
  expect(await said('set', 'wharf', '--quarantine', '7', '--warn', '10')).toMatch(
    /MTU 1400.*\n.*gateway none, 5 of 6 free \(warning, warns at 10 %\)\n.*in quarantine 0 \(7 s\)/,
  )
})
