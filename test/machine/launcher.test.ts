import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { layoutOf } from '../../machine/layout.ts'

const home = mkdtempSync(join(tmpdir(), 'launcher-'))
const launcher = join(layoutOf(home).project, 'berth')

afterAll(() => rmSync(home, { recursive: true }))

interface Said {
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

async function berth(words: readonly string[], { command = launcher, env = {} } = {}): Promise<Said> {
  const path = `${join(process.execPath, '..')}:${process.env.PATH ?? ''}`
  const settings = { PATH: path, BERTH_HOME: home, ...env }
  const options = { reject: false, cwd: '/', env: settings, extendEnv: false }
  const { exitCode, stdout, stderr } = await execa(command, [...words], { ...options, encoding: 'utf8' })
  return { exitCode, stdout, stderr }
}

test('an unknown word is said clearly, with exit code 2', async () => {
  const { exitCode, stderr } = await berth(['fly'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain("unknown command 'fly'")
})

test('the launcher works from anywhere, and through a link', async () => {
  const link = join(home, 'link')
  symlinkSync(launcher, link)
  const { exitCode, stdout } = await berth(['help'], { command: link })
  expect(exitCode).toBe(0)
  expect(stdout).toContain('up [options]')
})

test('config shows each setting with its reason and its variable, and no password', async () => {
  const env = { BERTH_ADMIN_PASSWORD: 'correct horse', DATABASE_URL: 'postgres://me:secret@db/berth' }
  const { stdout } = await berth(['config'], { env })
  expect(stdout).toContain('[BERTH_API_PORT]\napiPort: 8774')
  expect(stdout).not.toMatch(/correct horse|secret@/)
})

test('a wrong setting names its source', async () => {
  const { exitCode, stderr } = await berth(['config'], { env: { BERTH_API_PORT: 'eleven' } })
  expect(exitCode).toBe(2)
  expect(stderr).toContain('BERTH_API_PORT: apiPort')
  writeFileSync(join(home, 'berth.yaml'), 'apiPrt: 1\n')
  expect((await berth(['config'])).stderr).toContain(`${home}/berth.yaml: unknown setting apiPrt`)
  rmSync(join(home, 'berth.yaml'))
})

test('status of a cloud that is not up says so of each part, with exit code 1', async () => {
  const { exitCode, stdout } = await berth(['status'])
  expect(exitCode).toBe(1)
  expect(stdout).toMatch(/^postgres +down/m)
})

test('logs of an unknown part names those that there are', async () => {
  const { exitCode, stderr } = await berth(['logs', 'kitchen'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain("no log of 'kitchen'")
})

test('a cloud is brought up with the packages that it runs on alone; tests bring the others, and take none away', async () => {
  const project = join(home, 'project')
  const names = { run: 'runs', dev: 'tests' }
  for (const name of Object.values(names)) {
    mkdirSync(join(project, name), { recursive: true })
    writeFileSync(join(project, name, 'package.json'), JSON.stringify({ name, version: '1.0.0' }))
  }
  mkdirSync(join(project, 'machine'))
  writeFileSync(join(project, 'machine', 'main.ts'), '')
  const both = { dependencies: { runs: 'file:runs' }, devDependencies: { tests: 'file:tests' } }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', version: '1.0.0', ...both }))
  await execa('npm', ['install', '--package-lock-only', '--offline'], { cwd: project })
  copyFileSync(launcher, join(project, 'berth'))
  const installed = async (word: string): Promise<readonly string[]> => {
    expect(await berth([word], { command: join(project, 'berth') })).toMatchObject({ exitCode: 0 })
    return readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))
  }
  expect(await installed('up')).toEqual(['runs'])
  expect(await installed('test')).toEqual(['runs', 'tests'])
  expect(await installed('up')).toEqual(['runs', 'tests'])
})
