/** A real part of the cloud: Postgres, Docker, Open vSwitch, registry, lxcfs. */
import { join } from 'node:path'
import type { Config } from '../../core/config.ts'
import type { Layout } from '../layout.ts'
import { ask, type PartSpec } from '../supervisor-protocol.ts'

/** A home with its settings: all that a step of the launcher needs to know of where it is. */
export interface Site {
  readonly config: Config
  readonly layout: Layout
}

/** What a step at this site is called: at a host that is not the first of its machine it names the host. */
export function at({ config }: Site, what: string): string {
  return config.switchNamespace === null ? what : `${config.hostName} ${what}`
}

/** Whether a part is the machine's own or ours, where it answers, and its version. */
export interface Found {
  readonly origin: 'ours' | 'given'
  /** URL or path */
  readonly where: string
  readonly version: string
}

/** Has the supervisor keep this process running. A part that runs already is left as it is. */
export async function keep(
  { layout }: Site,
  spec: Omit<PartSpec, 'log' | 'env' | 'stopTimeoutMs'> & Partial<PartSpec>,
): Promise<string> {
  const log = join(layout.log, `${spec.name}.log`)
  await ask(layout.supervisorSocket, { op: 'start', part: { env: {}, stopTimeoutMs: 20_000, log, ...spec } })
  return log
}
