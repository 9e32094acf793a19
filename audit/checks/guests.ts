import type { Server } from '../../core/server.ts'
import type { VmState } from '../../core/states.ts'
import { findServer } from '../../db/servers.ts'
import type { Guest, GuestState } from '../../driver/driver.ts'
import type { Check, Drift, Scene } from '../check.ts'

/** What the guest of a settled server may be; a state that is not here says nothing about its guest. */
const expected: Readonly<Partial<Record<VmState, readonly (GuestState | 'none')[]>>> = {
  active: ['running'],
  paused: ['paused'],
  suspended: ['paused', 'stopped', 'none'],
  rescued: ['running'],
  stopped: ['stopped', 'created'],
  shelved_offloaded: ['none'],
}

/** A server may have a second container that stands aside (a rescue), told by its name; it never runs. */
function isMain({ name, serverId }: Guest): boolean {
  return name === `berth-${String(serverId)}`
}

function isLive({ state }: Guest): boolean {
  return state !== 'stopped' && state !== 'created'
}

function compare(server: Server, guest: Guest | undefined): readonly Drift[] {
  const seen = guest?.state ?? 'none'
  const allowed = server.taskState === null ? expected[server.vmState] : undefined
  if (!allowed || allowed.includes(seen)) return []
  return [
    {
      text: `server ${server.id} is ${server.vmState}, its guest ${seen === 'none' ? 'is not there' : `is ${seen}`}`,
      advice: seen === 'none' ? 'rebuild or delete the server' : 'the agent brings both together; else a hard reboot',
    },
  ]
}

async function withoutServer({ db, config, driver }: Scene, guest: Guest): Promise<readonly Drift[]> {
  const { serverId, guestId, name } = guest
  // A container that does not carry our label is somebody else's, and no drift.
  if (serverId === null) return []
  const server = await findServer(db, serverId)
  const text = `container ${name} (${guestId.slice(0, 12)})`
  if (!server)
    return [
      { text: `${text} carries our label, and no row knows server ${serverId}`, advice: 'only you know whose it is' },
    ]
  if (server.deletedAt !== null) {
    const [told, remedy] = [`${text} belongs to a deleted server`, 'the container is removed']
    // The driver removes what it named itself.
    if (!name.startsWith(`berth-${serverId}`))
      return [{ text: told, advice: 'its name is not of our making: docker rm it' }]
    return [{ text: told, remedy, repair: () => driver.remove(serverId) }]
  }
  if (server.host === config.hostName || server.taskState !== null || server.vmState === 'resized') return []
  return [
    { text: `${text} stands here, its server is on ${server.host ?? 'no host'}`, advice: 'compare both, keep one' },
  ]
}

export const guests: Check = {
  name: 'guests',
  holds: 'each server has at most one container, in the state that its row says; each container of ours has a server',
  async run(scene) {
    const { servers, guests: present } = scene
    const main = new Map(present.filter(isMain).map((guest) => [guest.serverId, guest]))
    const known = new Set(servers.map(({ id }) => id))
    const doubled = present.filter((one) => !isMain(one) && known.has(one.serverId ?? '') && isLive(one))
    const others = present.filter(({ serverId }) => serverId === null || !known.has(serverId))
    return [
      ...servers.flatMap((server) => compare(server, main.get(server.id))),
      ...doubled.map(({ serverId, name, guestId, state }) => ({
        text: `server ${String(serverId)} has a second container, ${name} (${guestId.slice(0, 12)}), which is ${state}`,
        advice: 'compare both, keep one',
      })),
      ...(await Promise.all(others.map((guest) => withoutServer(scene, guest)))).flat(),
    ]
  },
}
