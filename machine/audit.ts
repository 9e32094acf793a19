/** Runs audit/ as a process of its own, told where the parts are as the agent of this host is. */
import { join } from 'node:path'
import { execa } from 'execa'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'
import { hostsBeside } from './hosts.ts'
import type { Site } from './parts/part.ts'
import { environmentOfService } from './services.ts'

/** The options of `./berth audit`. */
export interface AuditWords {
  readonly repair?: boolean
  readonly json?: boolean
  /** seconds */
  readonly settle?: number
}

/** More than any look takes: an engine that does not answer is given up earlier. */
const timeoutMs = 600_000

function wordsOf({ repair = false, json = false, settle }: AuditWords): readonly string[] {
  return [
    ...(repair ? ['--repair'] : []),
    ...(json ? ['--json'] : []),
    ...(settle === undefined ? [] : [`--settle=${settle}`]),
  ]
}

function command({ layout }: Site, options: AuditWords): readonly string[] {
  return ['--disable-warning=ExperimentalWarning', join(layout.project, 'audit', 'main.ts'), ...wordsOf(options)]
}

/** @returns the exit code: 0 = every invariant holds */
export async function audit(site: Site, options: AuditWords): Promise<number> {
  const hosts = hostsBeside(site)
  if (hosts.length === 0) return await auditHost(site, options)
  if (options.json) {
    const found = await findings(site, options)
    process.stdout.write(`${JSON.stringify({ findings: found }, null, 2)}\n`)
    return found.some(({ isMended }) => !isMended) ? 1 : 0
  }
  let worst = 0
  for (const host of [site, ...hosts]) {
    process.stdout.write(`${host.config.hostName}\n`)
    worst = Math.max(worst, await auditHost(host, options))
  }
  return worst
}

async function auditHost(site: Site, options: AuditWords): Promise<number> {
  const env = await environmentOfService(site, 'agent')
  const { exitCode } = await execa(process.execPath, command(site, options), {
    env,
    stdio: 'inherit',
    reject: false,
    timeout: timeoutMs,
  })
  return exitCode ?? 1
}

const result = z.object({
  findings: z.array(z.object({ check: z.string(), text: z.string(), remedy: z.string(), isMended: z.boolean() })),
})
export type Finding = z.output<typeof result>['findings'][number]

/** The same for programs. @throws Unavailable when the audit itself could not run */
export async function findings(site: Site, options: Omit<AuditWords, 'json'>): Promise<readonly Finding[]> {
  return (await Promise.all([site, ...hostsBeside(site)].map((host) => findingsOn(host, options)))).flat()
}

async function findingsOn(site: Site, options: Omit<AuditWords, 'json'>): Promise<readonly Finding[]> {
  const env = await environmentOfService(site, 'agent')
  const words = command(site, { ...options, json: true })
  const { stdout, stderr } = await execa(process.execPath, words, { env, reject: false, timeout: timeoutMs })
  if (!stdout.startsWith('{')) throw new Unavailable(`the audit broke off: ${stderr}`)
  return result.parse(JSON.parse(stdout)).findings
}
