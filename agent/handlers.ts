import type { HostJob, Handlers } from '../core/jobs.ts'
import { create } from './create.ts'
import { changePassword } from './change-password.ts'
import { remove } from './delete.ts'
import { pause, resume, suspend, unpause } from './freeze.ts'
import { evacuate } from './evacuate.ts'
import type { Host } from './host.ts'
import { injectNetwork } from './inject-network.ts'
import { leave } from './moves/decide.ts'
import { migrate } from './moves/depart.ts'
import { expect } from './moves/expect.ts'
import { land } from './moves/land.ts'
import { confirmResize, resize, revertResize } from './resize.ts'
import { detach, wire } from './interfaces.ts'
import { reboot, start, stop } from './power.ts'
import { restore, softDelete } from './soft-delete.ts'
import { rebuild } from './rebuild.ts'
import { rescue, unrescue } from './rescue.ts'
import { shelve, shelveOffload } from './shelve.ts'
import { snapshot } from './snapshot.ts'
import { unshelve } from './unshelve.ts'

/** What this host does for each job; each in its server's turn, so that reconciliation never looks at half-done work. */
export function handlersOf(host: Host): Handlers<HostJob> {
  const { turns } = host
  return {
    'server.create': (payload) => turns.at(payload.serverId, () => create(host, payload)),
    'server.delete': (payload) => turns.at(payload.serverId, () => remove(host, payload)),
    'server.start': (payload) => turns.at(payload.serverId, () => start(host, payload)),
    'server.stop': (payload) => turns.at(payload.serverId, () => stop(host, payload)),
    'server.reboot': (payload) => turns.at(payload.serverId, () => reboot(host, payload, 'soft')),
    'server.reboot-hard': (payload) => turns.at(payload.serverId, () => reboot(host, payload, 'hard')),
    'server.pause': (payload) => turns.at(payload.serverId, () => pause(host, payload)),
    'server.unpause': (payload) => turns.at(payload.serverId, () => unpause(host, payload)),
    'server.suspend': (payload) => turns.at(payload.serverId, () => suspend(host, payload)),
    'server.resume': (payload) => turns.at(payload.serverId, () => resume(host, payload)),
    'server.resize': (payload) => turns.at(payload.serverId, () => resize(host, payload)),
    'server.confirm-resize': (payload) => turns.at(payload.serverId, () => confirmResize(host, payload)),
    'server.revert-resize': (payload) => turns.at(payload.serverId, () => revertResize(host, payload)),
    'server.change-password': (payload) => turns.at(payload.serverId, () => changePassword(host, payload)),
    'server.soft-delete': (payload) => turns.at(payload.serverId, () => softDelete(host, payload)),
    'server.restore': (payload) => turns.at(payload.serverId, () => restore(host, payload)),
    'server.inject-network': (payload) => turns.at(payload.serverId, () => injectNetwork(host, payload)),
    'server.wire': (payload) => turns.at(payload.serverId, () => wire(host, payload)),
    'server.detach': (payload) => turns.at(payload.serverId, () => detach(host, payload)),
    // Takes its turn itself, for as long as the disk is copied.
    'server.snapshot': (payload) => snapshot(host, payload),
    'server.rebuild': (payload) => turns.at(payload.serverId, () => rebuild(host, payload)),
    'server.rescue': (payload) => turns.at(payload.serverId, () => rescue(host, payload)),
    'server.unrescue': (payload) => turns.at(payload.serverId, () => unrescue(host, payload)),
    'server.shelve': (payload) => turns.at(payload.serverId, () => shelve(host, payload)),
    'server.shelve-offload': (payload) => turns.at(payload.serverId, () => shelveOffload(host, payload)),
    'server.expect': (payload) => expect(host, payload),
    'server.migrate': (payload) => turns.at(payload.serverId, () => migrate(host, payload)),
    'server.land': (payload) => turns.at(payload.serverId, () => land(host, payload)),
    'server.leave': (payload) => turns.at(payload.serverId, () => leave(host, payload)),
    'server.evacuate': (payload) => turns.at(payload.serverId, () => evacuate(host, payload)),
    'server.unshelve': (payload) => turns.at(payload.serverId, () => unshelve(host, payload)),
  }
}
