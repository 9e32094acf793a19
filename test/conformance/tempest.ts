/** The first judge: Tempest, OpenStack's own test suite, as Debian packages it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { excluded, tempestConfig } from './tempest-config.ts'
import type { Surroundings } from './surroundings.ts'
import { eventSchema, gist, Verdicts, withoutAttributes, type Verdict } from './verdicts.ts'

const packageDirectory = '/usr/lib/python3/dist-packages/tempest'
/** All that is about servers. */
export const wholeSuite = '^tempest\\.(api\\.compute|scenario)\\.'
/** What Tempest itself calls the smoke test, and all that is done to a server. */
export const smokeSuite = '^tempest\\.(api\\.compute|scenario)\\.(.*\\bsmoke\\b|servers\\.test_server_actions\\.)'
const concurrency = 2
const progressEvery = 20

async function writeWorkspace(surroundings: Surroundings, directory: string): Promise<string> {
  await mkdir(join(directory, 'lock'), { recursive: true })
  await writeFile(join(directory, 'tempest.conf'), tempestConfig(surroundings, directory), { mode: 0o600 })
  const stestr = [
    '[DEFAULT]',
    `test_path=${packageDirectory}/test_discover`,
    `top_dir=${packageDirectory}`,
    'group_regex=([^\\.]*\\.)*',
  ]
  await writeFile(join(directory, '.stestr.conf'), `${stestr.join('\n')}\n`)
  const exclusions = join(directory, 'exclude.txt')
  await writeFile(exclusions, excluded.map(({ pattern }) => `${pattern}\n`).join(''))
  return exclusions
}

function tell(verdicts: Verdicts, started: number): void {
  const { known, ended } = verdicts.progress()
  process.stdout.write(`    ${ended} of ${known} in ${Math.round((performance.now() - started) / 1000)} s\n`)
}

function tellFailure(test: string, said: string): void {
  process.stdout.write(`  ✗ ${withoutAttributes(test)}\n      ${gist(said).slice(0, 300)}\n`)
}

/**
 * Runs the tests whose name and attributes match.
 *
 * @param directory fresh; logs stay in it
 * @throws when Tempest itself, not a test, failed
 */
export async function runTempest(
  surroundings: Surroundings,
  pattern: string,
  directory: string,
): Promise<readonly Verdict[]> {
  const exclusions = await writeWorkspace(surroundings, directory)
  const env = {
    PATH: '/usr/bin:/usr/sbin:/bin',
    HOME: directory,
    TEMPEST_CONFIG_DIR: directory,
    TEMPEST_CONFIG: 'tempest.conf',
    LANG: 'C.UTF-8',
  }
  const common = { cwd: directory, env, extendEnv: false } as const
  await execa('stestr', ['init'], { ...common, timeout: 60_000 })
  const words = [
    'run',
    '--config-file',
    join(directory, 'tempest.conf'),
    '--regex',
    pattern,
    '--exclude-list',
    exclusions,
  ]
  const script = fileURLToPath(new URL('events.py', import.meta.url))
  const errors = join(directory, 'tempest.err')
  const command = ['tempest', ...words, '--subunit', '--concurrency', String(concurrency)]
  const run = execa('python3', [script, ...command], {
    ...common,
    reject: false,
    buffer: false,
    stderr: { file: errors },
  })
  const verdicts = new Verdicts()
  const started = performance.now()
  let exit = -1
  let toldAt = 0
  for await (const line of run) {
    const event = eventSchema.parse(JSON.parse(line))
    if ('exit' in event) {
      exit = event.exit
      continue
    }
    verdicts.add(event)
    if (event.status === 'fail') tellFailure(event.test, verdicts.saidOf(event.test))
    const { ended } = verdicts.progress()
    if (ended < toldAt + progressEvery) continue
    toldAt = ended
    tell(verdicts, started)
  }
  tell(verdicts, started)
  const all = verdicts.all()
  // 0: all passed, 1: some failed. Anything else is no judgement.
  if (all.length === 0 || (exit !== 0 && exit !== 1))
    throw new Error(`tempest ended with ${exit} after ${all.length} tests, see ${errors}`)
  return all
}
