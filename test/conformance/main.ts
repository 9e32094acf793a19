/**
 * The judges on a cloud of their own: run by `./berth test conformance`, in its room.
 * usage: main.ts HOSTS whole | smoke | clients | PATTERN
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startCloud } from '../world/index.ts'
import { runClients } from './clients.ts'
import { pageOf } from './page.ts'
import { surroundingsOf } from './surroundings.ts'
import { runTempest, smokeSuite, wholeSuite } from './tempest.ts'
import { gist, type Verdict } from './verdicts.ts'

const patterns: Readonly<Record<string, string>> = { whole: wholeSuite, smoke: smokeSuite }

function count(verdicts: readonly Verdict[], outcome: Verdict['outcome']): number {
  return verdicts.filter((one) => one.outcome === outcome).length
}

/** In order, so that two runs can be compared; tracebacks follow the list. */
function logOf(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(
    ({ test, outcome, said }) => `${outcome} ${test}${outcome === 'passed' ? '' : `: ${gist(said)}`}`,
  )
  const failures = verdicts.filter(({ outcome }) => outcome === 'failed').map(({ test, said }) => `\n${test}\n${said}`)
  return [...lines, ...failures, ''].join('\n')
}

const [hosts = '1', wanted = 'whole'] = process.argv.slice(2)
const cloud = await startCloud(Number(hosts))
const { home, log, project } = cloud.site.layout
const surroundings = await surroundingsOf(cloud)
const pattern = patterns[wanted] ?? `${wholeSuite}.*(${wanted})`
const tempest = wanted === 'clients' ? [] : await runTempest(surroundings, pattern, join(home, 'tempest'))
const clients =
  wanted === 'clients' || wanted === 'whole' ? await runClients(cloud, surroundings, join(home, 'clients')) : []
const verdicts = [...tempest, ...clients]
await writeFile(join(log, 'conformance.log'), logOf(verdicts))
if (wanted === 'whole')
  await writeFile(join(project, 'docs', 'conformance.md'), pageOf({ tempest, clients, surroundings }))
const counts = {
  passed: count(verdicts, 'passed'),
  failed: count(verdicts, 'failed'),
  skipped: count(verdicts, 'skipped'),
}
await writeFile(join(home, 'conformance.json'), JSON.stringify(counts))
// What the cloud still holds open ends with the room.
process.exit(counts.failed === 0 ? 0 : 1)
