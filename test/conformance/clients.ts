/** The second judge: the clients that people use, against one server each. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { z } from 'zod'
import { Client } from '../journeys/client.ts'
import type { TestCloud } from '../world/index.ts'
import { Api } from './api.ts'
import { novaRemains, novaSteps } from './nova-walk.ts'
import { openstackRemains, openstackSteps, type Names } from './openstack-walk.ts'
import type { Surroundings } from './surroundings.ts'
import type { Verdict } from './verdicts.ts'
import { go, type Step } from './walk.ts'

const verdictSchema = z.strictObject({
  test: z.string(),
  outcome: z.enum(['passed', 'failed', 'skipped']),
  said: z.string(),
})
const sdkTimeoutMs = 15 * 60_000

interface ClientWalk {
  readonly command: 'openstack' | 'nova'
  readonly server: string
  readonly steps: (names: Names, surroundings: Surroundings) => readonly Step[]
  readonly remains: (names: Names) => readonly (readonly string[])[]
}

const walks: readonly ClientWalk[] = [
  { command: 'openstack', server: 'walk-openstack', steps: openstackSteps, remains: openstackRemains },
  { command: 'nova', server: 'walk-nova', steps: novaSteps, remains: novaRemains },
]

/** What was uploaded comes back byte for byte. */
async function compareBytes(path: string): Promise<Verdict> {
  const test = 'openstack image save: the bytes'
  const [sent, back] = await Promise.all([readFile(path), readFile(`${path}.back`).catch(() => null)])
  return back?.equals(sent) ? { test, outcome: 'passed', said: '' } : { test, outcome: 'failed', said: 'they differ' }
}

async function runSdk(cloud: TestCloud, surroundings: Surroundings): Promise<readonly Verdict[]> {
  const script = fileURLToPath(new URL('sdk.py', import.meta.url))
  const input = JSON.stringify({ ...surroundings, publicKey: cloud.publicKey, sshKeyPath: cloud.sshKeyPath })
  const env = {
    PATH: '/usr/bin:/usr/sbin:/bin',
    HOME: cloud.site.layout.home,
    LANG: 'C.UTF-8',
    PYTHONWARNINGS: 'ignore',
  }
  const options = { env, extendEnv: false, reject: false, timeout: sdkTimeoutMs, input } as const
  const { stdout, stderr, exitCode } = await execa('python3', [script], options)
  const verdicts = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => verdictSchema.parse(JSON.parse(line)))
  for (const { test, outcome, said } of verdicts)
    if (outcome === 'failed') process.stdout.write(`  ✗ ${test}: ${said}\n`)
  if (exitCode === 0) return verdicts
  return [...verdicts, { test: 'openstacksdk: the script', outcome: 'failed', said: stderr.slice(-300) }]
}

/** @param directory for the files that the clients are given */
export async function runClients(
  cloud: TestCloud,
  surroundings: Surroundings,
  directory: string,
): Promise<readonly Verdict[]> {
  await mkdir(directory, { recursive: true })
  const [keyFile, userData, bytes] = ['key.pub', 'user-data', 'bytes'].map((name) => join(directory, name))
  if (keyFile === undefined || userData === undefined || bytes === undefined) return []
  await writeFile(keyFile, cloud.publicKey)
  await writeFile(userData, '#!/bin/sh\necho hi > /root/said\n')
  await writeFile(bytes, randomBytes(70_000))
  const api = await Api.open(cloud)
  const verdicts: Verdict[] = []
  for (const { command, server, steps, remains } of walks) {
    const names: Names = { server, keyFile, userData, bytes }
    const client = new Client(cloud, { command })
    const taken = await go({ client, api, server, address: surroundings.address }, steps(names, surroundings))
    verdicts.push(...taken)
    if (command === 'openstack') verdicts.push(await compareBytes(bytes))
    if (taken.some(({ outcome }) => outcome === 'failed'))
      for (const words of remains(names)) await client.try(...words)
  }
  return [...verdicts, ...(await runSdk(cloud, surroundings))]
}
