/**
 * Named places in a process at which a test has it killed, one after each step of a change. Inert unless the setting
 * `failpointDirectory` names a directory: then the process that finds a file of the failpoint's name there removes the file and is
 * killed on the spot, as by a power cut. The file is gone, so the process that is started next goes on.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'

export const failpoints = [
  /** the rows of new servers, their ports and jobs are written, not committed */
  'api.create.written',
  /** committed; the client has no reply yet */
  'api.create.committed',
  /** likewise of a delete, start, stop or reboot */
  'api.change.written',
  'api.change.committed',

  /** a host is found */
  'scheduler.create.chosen',
  /** the place is promised and the host's job written, not committed */
  'scheduler.create.committed',
  /** a server without a host is to go */
  'scheduler.delete.begun',
  'scheduler.delete.committed',

  'agent.create.begun',
  'agent.create.namespace',
  'agent.create.wires',
  'agent.create.image',
  'agent.create.container',
  'agent.create.spec',
  'agent.create.start',
  /** the row is ACTIVE, the job not ended */
  'agent.create.finished',

  /** the target has an empty container for a guest that still runs at its source */
  'agent.expect.begun',
  /** another host reads the disk of a guest that still runs here */
  'agent.disk.read',
  /** the guest is off and is to leave its host */
  'agent.migrate.stopped',
  /** its disk is in the registry */
  'agent.migrate.pushed',
  /** the server is the target's */
  'agent.migrate.left',
  /** the guest runs at the target, the row does not say so yet */
  'agent.land.built',

  'agent.delete.begun',
  'agent.delete.guest',
  'agent.delete.wires',
  'agent.delete.namespace',
  'agent.delete.spec',
  /** addresses, ports, claim and row are given back */
  'agent.delete.committed',

  /** a change has begun that is neither a create nor a delete */
  'agent.change.begun',
  /** of a stop or reboot: the guest is down */
  'agent.power.stopped',
  /** of a start or reboot */
  'agent.power.wires',
  'agent.power.started',
  /** of a rebuild or rescue: the old guest stands aside, the new one is not made yet; it is made, and does not run yet */
  'agent.replace.aside',
  'agent.replace.prepared',
  /** of an image of a guest: the disk is copied, not yet in the registry */
  'agent.snapshot.captured',
  /** the row shows the end, the job is not ended */
  'agent.change.finished',
] as const
export type Failpoint = (typeof failpoints)[number]

/** Returns, but for the one process in a test that was to die here. */
export function reach({ failpointDirectory }: Pick<Config, 'failpointDirectory'>, point: Failpoint): void {
  if (failpointDirectory === null) return
  try {
    rmSync(join(failpointDirectory, point))
  } catch {
    // No such file: nobody is to die here.
    return
  }
  process.kill(process.pid, 'SIGKILL')
}
