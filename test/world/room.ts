import { mkdir } from 'node:fs/promises'
import { loadConfig, type Config } from '../../core/config.ts'
import { layoutOf } from '../../machine/layout.ts'
import type { Site } from '../../machine/parts/part.ts'
import { keptParts, startSupervisor } from '../../machine/supervision.ts'

/** Whether a home is one that `./berth test` made. */
export function isRoom({ home }: Config): boolean {
  return /^\/tmp\/berth-test-\w+$/.test(home)
}

/** The site of this test run. @throws where tests would touch a cloud in use: outside of `./berth test` */
export function room(): Site {
  const config = loadConfig()
  if (!isRoom(config)) throw new Error('run the tests by ./berth test [paths]')
  return { config, layout: layoutOf(config.home) }
}

/** The site with its supervisor running, and the pid of a part that it keeps already. */
export async function supervisedRoom(part: string): Promise<{ readonly site: Site; readonly kept: number | null }> {
  const site = room()
  await mkdir(site.layout.run, { recursive: true })
  await mkdir(site.layout.log, { recursive: true })
  await startSupervisor(site)
  return { site, kept: (await keptParts(site))?.get(part) ?? null }
}
