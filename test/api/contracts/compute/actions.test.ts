/** Every action of servers, at every microversion where it changes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import type { Microversion } from '../../../../api/microversion.ts'
import type { VmState } from '../../../../core/states.ts'
import { boot, place, startApi, type Client, type TestApi } from '../../fixture.ts'
import { addHosts } from '../agent.ts'
import { turnsIn, turnsOf, unseen, walker } from '../walk.ts'
import { actionRoute, actions } from './actions.ts'

let api: TestApi
let hosts: Awaited<ReturnType<typeof addHosts>>
beforeAll(async () => {
  api = await startApi()
  hosts = await addHosts(api.db)
  await api.db('hosts').where({ name: 'host-2' }).update({ isForcedDown: true })
})
afterAll(async () => {
  hosts.close()
  await api.stop()
})

interface Act {
  readonly as?: Client
  /** keys that other versions take */
  readonly elsewhere?: Readonly<Record<string, unknown>>
  readonly status?: number
}
/** An action of one server, from a state. */
type Acting = (from: VmState, body: Readonly<Record<string, unknown>>, how?: Act) => Promise<void>

function acting(version: Microversion, id: string): Acting {
  const ask = walker(version)
  return async (from, body, { as = api.member, ...step } = {}) => {
    const name = `${actionRoute} ${Object.keys(body)[0] ?? ''}`
    const contract = actions[name]
    // Asked where it changes, and no more often; but what was locked is unlocked.
    if (contract && !('unlock' in body) && !turnsOf(name, contract).includes(version)) return
    await place(api.db, id, from)
    await ask(as, `POST /compute/v2.1/servers/${id}/action`, { body, ...step })
  }
}

async function walkPower(act: Acting): Promise<void> {
  await act('stopped', { 'os-start': null })
  await act('active', { 'os-stop': null })
  await act('active', { reboot: { type: 'SOFT' } })
  await act('active', { pause: null })
  await act('paused', { unpause: null })
  await act('active', { suspend: null })
  await act('suspended', { resume: null })
  await act('active', { changePassword: { adminPass: 'secret' } })
  await act('active', { 'os-getConsoleOutput': { length: 5 } })
  await act('active', { 'os-resetState': { state: 'active' } }, { as: api.admin })
  await act('active', { injectNetworkInfo: null }, { as: api.admin })
  await act('active', { resetNetwork: null }, { as: api.admin, status: 410 })
  await act('active', { lock: null }, { elsewhere: { locked_reason: 'r' } })
  await act('active', { unlock: null })
  await act('active', { forceDelete: null })
  await act('soft-delete', { restore: null })
}

async function walkDisks(act: Acting, version: Microversion): Promise<void> {
  const later = { description: 'd', key_name: null, user_data: null, hostname: 'web', personality: [] }
  const certificates = { trusted_image_certificates: null }
  await act('active', { rebuild: { imageRef: api.imageId } }, { elsewhere: { ...later, ...certificates } })
  await act('active', { rebuild: { imageRef: api.imageId } }, { as: api.admin })
  await act('active', { rescue: { adminPass: 'secret' } })
  await act('rescued', { unrescue: null })
  await act('active', { createImage: { name: 'snapshot' } })
  await act('active', { createBackup: { name: 'backup', backup_type: 'daily', rotation: 1 } })
  await act('active', { shelve: null })
  await act('shelved', { shelveOffload: null }, { as: api.admin })
  const to = version >= 91 ? { host: 'host-1' } : { availability_zone: 'nova' }
  await act('shelved_offloaded', { unshelve: version >= 77 ? to : null }, { as: api.admin })
}

/** What the scheduler would have promised. */
async function promise(id: string): Promise<void> {
  const size = { vcpus: 1, memoryMiB: 128, diskGiB: 1 }
  await api
    .db('allocations')
    .insert({ serverId: id, host: 'host-1', ...size })
    .onConflict()
    .ignore()
}

async function walkMoves(act: Acting, version: Microversion, id: string): Promise<void> {
  const as = api.admin
  await promise(id)
  await act('active', { resize: { flavorRef: '2' } })
  await act('resized', { confirmResize: null })
  await api.db('server_migrations').where({ serverId: id }).del()
  await act('active', { resize: { flavorRef: '3' } })
  await act('resized', { revertResize: null })
  await api.db('server_migrations').where({ serverId: id }).del()
  await act('active', { migrate: null }, { as, elsewhere: { host: 'host-2' } })
  await act('active', { 'os-resetState': { state: 'active' } }, { as })
  const live = { host: null, block_migration: false, ...(version < 25 ? { disk_over_commit: false } : {}) }
  await act('active', { 'os-migrateLive': live }, { as, elsewhere: { force: true }, status: 400 })
}

const ports = z.object({
  interfaceAttachments: z.array(z.object({ fixed_ips: z.array(z.object({ ip_address: z.string() })) })),
})

async function walkNames(act: Acting, version: Microversion, id: string): Promise<void> {
  const { body } = await api.member(`GET /compute/v2.1/servers/${id}/os-interface`)
  const [address] = ports.parse(body).interfaceAttachments[0]?.fixed_ips ?? []
  await act('active', { removeSecurityGroup: { name: 'default' } })
  await act('active', { addSecurityGroup: { name: 'default' } })
  if (version < 44) {
    await act('active', { addFixedIp: { networkId: api.networkId } })
    await act('active', { removeFixedIp: { address: address?.ip_address ?? '' } })
  }
  if (version >= 17) await act('active', { trigger_crash_dump: null }, { as: api.admin, status: 400 })
  if (version >= 6) return
  await act('active', { 'os-getVNCConsole': { type: 'novnc' } }, { status: 400 })
  await act('active', { 'os-getSPICEConsole': { type: 'spice-html5' } }, { status: 400 })
  await act('active', { 'os-getRDPConsole': { type: 'rdp-html5' } }, { status: 400 })
  await act('active', { 'os-getSerialConsole': { type: 'serial' } }, { status: 400 })
}

/** From a host that is down. */
async function walkEvacuation(version: Microversion): Promise<void> {
  const id = await boot(api)
  await place(api.db, id)
  await api.db('servers').where({ id }).update({ host: 'host-2' })
  const body = { evacuate: version < 14 ? { onSharedStorage: false } : { host: 'host-1' } }
  await walker(version)(api.admin, `POST /compute/v2.1/servers/${id}/action`, { body, elsewhere: { force: true } })
}

test.each(turnsIn(actions))('actions are taken and answered as they should be at 2.%d', async (version) => {
  const id = await boot(api)
  const act = acting(version, id)
  await walkNames(act, version, id)
  await walkPower(act)
  await walkDisks(act, version)
  await walkMoves(act, version, id)
  await walkEvacuation(version)
})

test('every shape was seen', () => {
  expect(unseen(api.book, actions)).toEqual([])
})
