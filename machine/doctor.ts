/** What is wrong with this machine or this cloud, found without changing anything. */
import { existsSync } from 'node:fs'
import { counted } from '../core/counted.ts'
import { messageOf } from '../core/errors.ts'
import { lowSettings } from './host-settings.ts'
import { missingPackages } from './packages.ts'
import { driverOf, engineSocket } from './down.ts'
import { dockerInfo, misfits } from './parts/docker.ts'
import type { Site } from './parts/part.ts'
import { preflight } from './preflight.ts'
import { statusOf } from './status.ts'
import { keptParts } from './supervision.ts'

interface Line {
  readonly isGood: boolean
  readonly text: string
}

async function machineLines(site: Site): Promise<readonly Line[]> {
  const isRunning = (await keptParts(site)) !== null
  const findings = await preflight(site.config, { isRunning })
  const missing = await missingPackages()
  const low = await lowSettings()
  return [
    ...findings.map(({ level, text }) => ({ isGood: level === 'note', text })),
    missing.length === 0
      ? { isGood: true, text: 'all packages installed' }
      : { isGood: false, text: `packages missing: ${missing.join(' ')}; remedy: ./berth up` },
    ...low.map(({ name, value, wanted }) => ({
      isGood: false,
      text: `${name} is ${value}, ${wanted} wanted; remedy: ./berth up`,
    })),
  ]
}

async function partLines(site: Site): Promise<readonly Line[]> {
  const parts = await statusOf(site)
  return parts.map(({ name, state, restarts }) => ({
    isGood: state !== 'down',
    text: `${name} is ${state}${restarts > 0 ? `, started again ${counted(restarts, 'time')}` : ''}${state === 'down' ? '; remedy: ./berth up, then ./berth logs ' + name : ''}`,
  }))
}

async function engineLines(site: Site): Promise<readonly Line[]> {
  const socketPath = await engineSocket(site)
  if (socketPath === null) return []
  const [info, driver] = [await dockerInfo(socketPath), driverOf(site, socketPath)]
  const { guestRootUid, storageDriver, enforcesDisk } = await driver.capacity()
  const foreign = (await driver.list()).filter(({ serverId }) => serverId === null)
  return [
    ...misfits(info).map((text) => ({ isGood: false, text: `Docker: ${text}` })),
    guestRootUid === 0
      ? { isGood: true, text: "user namespaces are off in this engine: the guests' root is the host's" }
      : { isGood: true, text: `user namespaces are on: the guests' root is uid ${guestRootUid} of the host` },
    {
      isGood: true,
      text: `storage driver ${storageDriver}: the disk size of flavors is ${enforcesDisk ? 'enforced' : 'not enforced'}`,
    },
    ...(foreign.length === 0
      ? []
      : [{ isGood: true, text: `${counted(foreign.length, 'container')} in the engine not ours, and left alone` }]),
  ]
}

/** Prints a line per finding. @returns whether all is well */
export async function doctor(site: Site): Promise<boolean> {
  const lines: Line[] = []
  const isMade = existsSync(site.config.home)
  for (const look of isMade ? [machineLines, partLines, engineLines] : [machineLines, engineLines]) {
    try {
      lines.push(...(await look(site)))
    } catch (error) {
      lines.push({ isGood: false, text: messageOf(error) })
    }
  }
  if (!isMade) lines.push({ isGood: true, text: `no cloud at ${site.config.home} yet; ./berth up makes one` })
  for (const { isGood, text } of lines) process.stdout.write(`  ${isGood ? '✓' : '✗'} ${text}\n`)
  return lines.every(({ isGood }) => isGood)
}
