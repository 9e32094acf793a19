/** Failures that pass by themselves: a part or the database went away under a change. The change is tried again, not given up. */
import { PartSilent } from '../core/errors.ts'
import { isDatabaseAway } from '../db/connect.ts'
import { secondsInTask } from '../db/servers.ts'
import type { Host } from './host.ts'

function isPassing(error: unknown): boolean {
  if (error instanceof PartSilent || isDatabaseAway(error)) return true
  return error instanceof Error && error.cause !== undefined && isPassing(error.cause)
}

/** @returns whether the job is to fail and come again: so long as its task is younger than a boot may take */
export async function isWorthAnother({ db, config }: Host, serverId: string, error: unknown): Promise<boolean> {
  if (isDatabaseAway(error)) return true
  return isPassing(error) && (await secondsInTask(db, serverId)) < config.bootTimeoutSeconds
}
