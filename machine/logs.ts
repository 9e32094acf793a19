/** The log of each part, of this host and of those beside it. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { hostsBeside } from './hosts.ts'
import type { Site } from './parts/part.ts'

function namesIn({ layout }: Site): readonly string[] {
  if (!existsSync(layout.log)) return []
  return readdirSync(layout.log).flatMap((name) => (name.endsWith('.log') ? [name.replace(/\.log$/, '')] : []))
}

/** Such as 'agent', or 'HOST/agent' of a host beside the first. */
export function logNames(site: Site): readonly string[] {
  const beside = hostsBeside(site).flatMap((host) =>
    namesIn(host).map((name) => `${basename(host.layout.home)}/${name}`),
  )
  return [...namesIn(site), ...beside]
}

/** null when there is no such log */
export function logPath(site: Site, name: string): string | null {
  if (!logNames(site).includes(name)) return null
  const [part = '', host] = name.split('/').toReversed()
  const { log } = host === undefined ? site.layout : { log: join(site.layout.home, 'hosts', host, 'log') }
  return join(log, `${part}.log`)
}
