/** The loops that look after images, and a look on request. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import type { ImageSweep } from '../core/image-sweep.ts'
import { Flattener } from './flatten.ts'
import { ImageBringer, sweepHost, type ImageHost } from './image-care.ts'
import { sweepRegistry } from './registry-sweep.ts'

/** One at a time: the second one asked for finds what the first one left. */
async function sweepImages(host: ImageHost, isDry: boolean): Promise<ImageSweep> {
  return await host.turns.at('image sweep', async () => ({
    images: await sweepHost(host, isDry),
    registry: await sweepRegistry(host, isDry),
  }))
}

/** @returns null for another path */
export async function answerOfImages(
  host: ImageHost,
  url: URL,
): Promise<{ readonly status: number; readonly text: string } | null> {
  if (url.pathname !== '/images/sweep') return null
  return { status: 200, text: JSON.stringify(await sweepImages(host, url.searchParams.get('dry_run') === 'true')) }
}

async function often(
  signal: AbortSignal,
  everyMs: number,
  look: () => Promise<unknown>,
  host: ImageHost,
): Promise<void> {
  while (!signal.aborted) {
    await look().catch((error: unknown) => host.log.warn({ reason: messageOf(error) }, 'images not looked after'))
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Ends when the signal aborts, but for what takes long and is harmless to break off. */
export async function careForImages(host: ImageHost, signal: AbortSignal): Promise<void> {
  const { reconcileSeconds, imageSweepMinutes } = host.config
  const [bringer, flattener] = [new ImageBringer(host), new Flattener(host)]
  await Promise.all([
    often(signal, reconcileSeconds * 1000, () => bringer.look(signal), host),
    often(signal, reconcileSeconds * 1000, () => flattener.look(signal), host),
    often(signal, imageSweepMinutes * 60_000, () => sweepImages(host, false), host),
  ])
}
