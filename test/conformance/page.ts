/** docs/conformance.md: what the API has, and what its judges said. */
import { computeRoutes } from '../../api/compute/routes.ts'
import { identityRoutes } from '../../api/identity/routes.ts'
import { imageRoutes } from '../../api/image/routes.ts'
import { networkRoutes } from '../../api/network/routes.ts'
import { placementRoutes } from '../../api/placement/routes.ts'
import type { Route } from '../../api/route.ts'
import { excluded } from './tempest-config.ts'
import { byReason } from './skips.ts'
import type { Surroundings } from './surroundings.ts'
import { gist, type Verdict } from './verdicts.ts'

export interface Judgement {
  readonly tempest: readonly Verdict[]
  readonly clients: readonly Verdict[]
  readonly surroundings: Surroundings
}

const facades: readonly (readonly [name: string, routes: readonly Route[]])[] = [
  ['compute', computeRoutes],
  ['identity', identityRoutes],
  ['image', imageRoutes],
  ['networking', networkRoutes],
  ['placement', placementRoutes],
]

function counts(verdicts: readonly Verdict[]): Readonly<Record<Verdict['outcome'], number>> {
  const of = (outcome: Verdict['outcome']): number => verdicts.filter((one) => one.outcome === outcome).length
  return { passed: of('passed'), failed: of('failed'), skipped: of('skipped') }
}

function line(verdicts: readonly Verdict[]): string {
  const { passed, failed, skipped } = counts(verdicts)
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

function endpoints(): string {
  return facades
    .map(([name, routes]) => {
      const rows = routes.map(({ method, path, since, until }) => {
        const versions = [since && `from ${since}`, until && `before ${until}`].filter(Boolean).join(', ')
        return `| ${method.toUpperCase()} | \`${path}\` | ${versions} |`
      })
      return `### /${name}\n\n| method | path | microversions |\n|---|---|---|\n${rows.join('\n')}`
    })
    .join('\n\n')
}

/** 'tempest.api.compute.servers.test_servers.ServersTestJSON.test_x' is of servers.test_servers. */
function fileOf({ test }: Verdict): string {
  const bare = test.replace(/^setUpClass of |^\w+ \(|\)$/g, '')
  const parts = bare.split('.')
  const last = parts.findIndex((part) => part.startsWith('test_'))
  return parts
    .slice(0, last + 1)
    .join('.')
    .replace(/^tempest\.(api\.)?/, '')
}

function byFile(tempest: readonly Verdict[]): string {
  const files = Object.entries(Object.groupBy(tempest, fileOf))
  const rows = files.map(([file, verdicts = []]) => {
    const { passed, failed, skipped } = counts(verdicts)
    return `| ${file} | ${passed} | ${failed} | ${skipped} |`
  })
  return `| file | passed | failed | skipped |\n|---|---|---|---|\n${rows.join('\n')}`
}

function outcomes(verdicts: readonly Verdict[], outcome: Verdict['outcome']): string {
  const lines = verdicts
    .filter((one) => one.outcome === outcome)
    .map(({ test, said }) => `- \`${shortName(test)}\`: ${gist(said).slice(0, 200)}`)
  return lines.length === 0 ? 'None.' : lines.join('\n')
}

function shortName(test: string): string {
  return test.replace(/^tempest\.(api\.)?/, '')
}

function skips(tempest: readonly Verdict[]): string {
  const groups = byReason(tempest).map(
    ([why, tests]) => `**${why}** (${tests.length})\n\n${tests.map((test) => `- \`${shortName(test)}\``).join('\n')}`,
  )
  return groups.length === 0 ? 'None.' : groups.join('\n\n')
}

function byClient(clients: readonly Verdict[]): string {
  const groups = Object.entries(Object.groupBy(clients, ({ test }) => test.split(' ', 1)[0] ?? ''))
  return groups.map(([client, verdicts = []]) => `- \`${client}\`: ${line(verdicts)}`).join('\n')
}

export function pageOf({ tempest, clients, surroundings: { microversions, hostCount } }: Judgement): string {
  const exclusions = excluded.map(({ pattern, reason }) => `- \`${pattern.replaceAll('\\', '')}\`: ${reason}`)
  return `# Conformance

Written by \`./berth test conformance\`: a whole run, on a fresh cloud of ${hostCount} host${hostCount === 1 ? '' : 's'}, of Tempest and the
clients as Debian packages them. ${line([...tempest, ...clients])}.

Compute speaks the microversions ${microversions.least} to ${microversions.most}${microversions.placement === null ? '' : `, placement 1.0 to ${microversions.placement}`}.

## Tempest

${line(tempest)}. Servers are reached over ssh at their fixed addresses.

${byFile(tempest)}

### Failed

${outcomes(tempest, 'failed')}

### Skipped, and why

Tempest skips by itself what its configuration says is not offered.

${skips(tempest)}

Left out altogether:

${exclusions.join('\n')}

## Clients

${byClient(clients)}

### Failed

${outcomes(clients, 'failed')}

## Endpoints

${endpoints()}
`
}
