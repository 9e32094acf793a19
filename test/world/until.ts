import { until as untilReady } from '../../machine/until.ts'

/**
 * Tries until `attempt` returns something else than null, undefined or false; what it throws counts as not yet.
 *
 * @param timeoutMs 10 s unless told
 * @throws Unavailable with the last error when the time is over
 */
export async function until<T>(
  attempt: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  {
    timeoutMs = 10_000,
    what = 'what the test waits for',
  }: { readonly timeoutMs?: number; readonly what?: string } = {},
): Promise<T> {
  return await untilReady(what, timeoutMs, async () => (await attempt()) ?? null)
}
