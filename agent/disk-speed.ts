/** How fast a guest may use its disk, by its flavor: the kernel forgets it with each end of the guest. */
import { Unsupported } from '../core/errors.ts'
import { diskSpeedsOf, isLimited } from '../core/flavor-limits.ts'
import type { Server, ServerFlavor } from '../core/server.ts'
import type { Host } from './host.ts'

/** To be called after each start. */
export async function holdDisk({ driver }: Host, { id, flavor }: Pick<Server, 'id' | 'flavor'>): Promise<void> {
  const speeds = diskSpeedsOf(flavor.extraSpecs)
  if (isLimited(speeds)) await driver.setDiskSpeeds(id, speeds)
}

/** A running guest has the speeds of this flavor, and no others. */
export async function fitDisk({ driver }: Host, serverId: string, { extraSpecs }: ServerFlavor): Promise<void> {
  const speeds = diskSpeedsOf(extraSpecs)
  const { state } = (await driver.inspect(serverId)) ?? {}
  if (state !== 'running' && state !== 'paused') return
  try {
    await driver.setDiskSpeeds(serverId, speeds)
  } catch (error) {
    // A host that holds no disk back has nothing to let go.
    if (isLimited(speeds) || !(error instanceof Unsupported)) throw error
  }
}
