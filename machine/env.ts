/** What real clients need to find this cloud. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { identityUrl } from '../core/config.ts'
import type { Site } from './parts/part.ts'
import { knownPassword, sshKeyPath } from './secrets.ts'

/** The variables by which clients find this cloud, as its administrator. */
export async function clientVariables(site: Site): Promise<Readonly<Record<string, string>>> {
  const { config } = site
  return {
    OS_AUTH_URL: identityUrl(config),
    OS_USERNAME: 'admin',
    OS_PASSWORD: await knownPassword(site),
    OS_PROJECT_NAME: 'admin',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: config.region,
    OS_IDENTITY_API_VERSION: '3',
  }
}

/** Shell exports for `eval`; an earlier cloud's variables that would contradict them are unset. */
export async function shellExports(site: Site): Promise<string> {
  const variables = { ...(await clientVariables(site)), BERTH_SSH_KEY: sshKeyPath(site) }
  const quoted = Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`)
  return `unset OS_CLOUD OS_TOKEN OS_AUTH_TYPE OS_PROJECT_ID OS_USER_ID OS_SYSTEM_SCOPE\n${quoted.join('\n')}\n`
}

/** The same as clouds.yaml, under the home. */
export async function writeCloudsYaml(site: Site): Promise<string> {
  const { config, layout } = site
  const auth = {
    auth_url: identityUrl(config),
    username: 'admin',
    password: await knownPassword(site),
    project_name: 'admin',
    user_domain_name: 'Default',
    project_domain_name: 'Default',
  }
  const path = join(layout.home, 'clouds.yaml')
  await writeFile(
    path,
    stringify({ clouds: { berth: { auth, region_name: config.region, identity_api_version: 3 } } }),
    { mode: 0o600 },
  )
  return path
}
