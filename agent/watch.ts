/** The loops of an agent: the engine's events, the sign of life, the full comparison. They end when `signal` aborts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import { heartbeat } from '../db/hosts.ts'
import { Health } from './health.ts'
import { settleExit } from './exits.ts'
import type { Host } from './host.ts'
import { ImageReport } from './image-report.ts'
import { loadNow } from './load.ts'
import { ProcFiles } from './proc-files.ts'
import { reclaim } from './reclaim.ts'
import { reconcile } from './reconcile.ts'
import { StrainWatch } from './strain.ts'
import { ensureGateways } from './wire.ts'

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Asked anew after each wait: the compiler would take an earlier answer for the present one. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted
}

/** Follows the ends of guests; when the stream broke, what was missed is found by a full comparison. */
export async function watchGuests(host: Host, signal: AbortSignal): Promise<void> {
  const { driver, log, turns } = host
  while (!signal.aborted) {
    try {
      await driver.watchExits(({ serverId, exitCode }) => {
        turns
          .at(serverId, () => settleExit(host, serverId))
          .catch((error: unknown) => log.error({ serverId, exitCode, err: error }, 'end of a guest not settled'))
      }, signal)
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'engine events lost')
    }
    if (isOver(signal)) return
    await pause(1000, signal)
    await reconcile(host, { isStart: false }).catch((error: unknown) =>
      log.error({ err: error }, 'host not reconciled'),
    )
  }
}

export async function reconcileOften(host: Host, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(host.config.reconcileSeconds * 1000, signal)
    if (isOver(signal)) return
    await reconcile(host, { isStart: false }).catch((error: unknown) =>
      host.log.error({ err: error }, 'host not reconciled'),
    )
    await reclaim(host).catch((error: unknown) => host.log.error({ err: error }, 'deleted servers not reclaimed'))
  }
}

export async function beat(host: Host, signal: AbortSignal): Promise<void> {
  const { db, name, config, log } = host
  const [health, procFiles] = [new Health(host), new ProcFiles(host)]
  while (!signal.aborted) {
    try {
      const problem = await health.problem()
      await heartbeat(db, name, problem, loadNow())
      if (problem === null) await procFiles.mendOften()
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'sign of life not written')
    }
    await pause(config.heartbeatSeconds * 1000, signal)
  }
}

/** Apart from the sign of life, which must not wait for an engine that is slow to answer. */
export async function tellImages(host: Host, signal: AbortSignal): Promise<void> {
  const report = new ImageReport(host)
  while (!signal.aborted) {
    await report.tell().catch((error: unknown) => host.log.warn({ reason: messageOf(error) }, 'images not told'))
    await pause(host.config.heartbeatSeconds * 1000, signal)
  }
}

/** A host that answers for the gateways of all networks learns here of one whose first guest is on another host. */
export async function answerForNetworks(host: Host, signal: AbortSignal): Promise<void> {
  const present = new Set<string>()
  while (!signal.aborted && host.config.gateways === 'all') {
    await ensureGateways(host, present).catch((error: unknown) =>
      host.log.error({ err: error }, 'gateways not looked at'),
    )
    await pause(host.config.heartbeatSeconds * 1000, signal)
  }
}

/** A guest that writes as fast as the disk does fills what is kept free in a few seconds. */
const strainMs = 1000

export async function watchStrain(host: Host, signal: AbortSignal): Promise<void> {
  const watch = new StrainWatch(host)
  while (!signal.aborted) {
    await watch.look()
    await pause(strainMs, signal)
  }
}
