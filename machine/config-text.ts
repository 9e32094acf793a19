/** `./berth config`: every setting as a line of berth.yaml, with its unit, its reason and its variable. */
import { stringify } from 'yaml'
import { settings, variableOf, withoutPassword, type Config } from '../core/config.ts'

const secrets: readonly string[] = ['adminPassword', 'registryPassword']

/** What may be seen of a value: no password. */
function seen(name: string, value: unknown): unknown {
  if (value === null) return null
  if (secrets.includes(name)) return '(set)'
  return name === 'databaseUrl' && typeof value === 'string' ? withoutPassword(value) : value
}

export function configText(config: Config): string {
  const lines = Object.entries(settings.shape).map(([name, { description = '' }]) => {
    const value: unknown = Reflect.get(config, name)
    return `# ${description} [${variableOf(name)}]\n${stringify({ [name]: seen(name, value) })}`
  })
  return lines.join('\n')
}
