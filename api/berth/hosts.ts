/** Hosts as their operator sees them: state, size, what is kept back, promised and really used, and what they are like. */
import { z } from 'zod'
import { Invalid, NotFound } from '../../core/errors.ts'
import { disabledStates, hostStates } from '../../core/host.ts'
import { stateOf } from '../../db/host-status.ts'
import { traitsOf } from '../../db/host-traits.ts'
import { changeHost, hostsWithUse, setHost, type HostUse, type HostWish } from '../../db/hosts.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'

const amount = z.strictObject({ vcpus: z.number(), memory_mib: z.number(), disk_gib: z.number() })

export const hostShape = z.strictObject({
  name: z.string(),
  state: z.enum(hostStates),
  reason: z.string().nullable().describe('why it is not up'),
  problem: z.string().nullable().describe('what its agent says is wrong'),
  zone: z.string(),
  rack: z.string().nullable(),
  aggregates: z.array(z.string()),
  traits: z.array(z.string()),
  servers: z.number(),
  size: amount,
  ratios: z.strictObject({ cpu: z.number(), memory: z.number(), disk: z.number() }),
  reserved: amount.describe('kept back before the ratios'),
  promised: amount,
  free: amount.describe('what may still be promised'),
  load: z.strictObject({
    per_cpu: z.number().describe('runnable threads of the last minute'),
    available_memory_mib: z.number().nullable(),
  }),
  set: z.record(z.string(), z.unknown()).describe('what an operator has set over the settings of the agent'),
  hypervisor: z.string(),
  heartbeat_at: z.string(),
  silent_seconds: z.number(),
  started_at: z.string(),
})

const ratio = z.number().positive().max(1000).nullable().optional()
const kept = z.int().min(0).nullable().optional()

/** null takes a ratio or an amount back to that of the agent's own settings */
export const hostChange = z.strictObject({
  state: z.enum(['up', ...disabledStates]).optional(),
  reason: z.string().min(1).max(255).nullable().optional(),
  cpu_ratio: ratio,
  memory_ratio: ratio,
  disk_ratio: ratio,
  reserved_vcpus: kept,
  reserved_memory_mib: kept,
  reserved_disk_gib: kept,
  rack: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .nullable()
    .optional(),
  traits: z.array(z.string().regex(/^CUSTOM_[A-Z0-9_]{1,248}$/)).optional(),
})
type Change = z.output<typeof hostChange>

function freeOf(host: HostUse): z.output<typeof amount> {
  const left = (size: number, reserved: number, by: number, used: number): number =>
    Math.max(0, Math.floor((size - reserved) * by - used))
  return {
    vcpus: left(host.vcpus, host.reservedVcpus, host.cpuRatio, host.usedVcpus),
    memory_mib: left(host.memoryMiB, host.reservedMemoryMiB, host.memoryRatio, host.usedMemoryMiB),
    disk_gib: left(host.diskGiB, host.reservedDiskGiB, host.diskRatio, host.usedDiskGiB),
  }
}

/** Not everything that a double can say of a ratio is meant. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}

function view(host: HostUse): z.output<typeof hostShape> {
  const { state, reason } = stateOf(host)
  return {
    name: host.name,
    state,
    reason,
    problem: host.problem,
    zone: host.zone,
    rack: host.rack,
    aggregates: host.aggregates.map(({ name }) => name),
    traits: [...traitsOf(host)],
    servers: host.servers,
    size: { vcpus: host.vcpus, memory_mib: host.memoryMiB, disk_gib: host.diskGiB },
    ratios: { cpu: rounded(host.cpuRatio), memory: rounded(host.memoryRatio), disk: rounded(host.diskRatio) },
    reserved: {
      vcpus: host.reservedVcpus,
      memory_mib: host.reservedMemoryMiB,
      disk_gib: host.reservedDiskGiB,
    },
    promised: { vcpus: host.usedVcpus, memory_mib: host.usedMemoryMiB, disk_gib: host.usedDiskGiB },
    free: freeOf(host),
    load: { per_cpu: rounded(host.loadPerCpu), available_memory_mib: host.availableMemoryMiB },
    set: { ...host.setLimits, ...(host.setTraits.length > 0 ? { traits: host.setTraits } : {}) },
    hypervisor: `${host.hypervisorType} ${host.hypervisorVersion}`,
    heartbeat_at: host.heartbeatAt.toISOString(),
    silent_seconds: Math.round(host.silentSeconds),
    started_at: host.startedAt.toISOString(),
  }
}

export async function list({ db }: Call): Promise<Reply> {
  return { status: 200, body: { hosts: (await hostsWithUse(db)).map(view) } }
}

/** @throws NotFound naming those that there are */
async function find({ db, params }: Call): Promise<HostUse> {
  const { host: name = '' } = params
  const all = await hostsWithUse(db)
  const found = all.find((one) => one.name === name)
  if (!found) throw new NotFound('Host', name, { known: all.map((one) => one.name) })
  return found
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { host: view(await find(call)) } }
}

function wishOf({ state, reason }: Change): HostWish | null {
  if (state === undefined) {
    if (reason !== undefined) throw new Invalid('reason: it says why a host is not up, and is set with state alone')
    return null
  }
  if (state !== 'up') return { isEnabled: false, disabledAs: state, disabledReason: reason ?? null }
  if (reason !== undefined && reason !== null) throw new Invalid('reason: a host that is up has none')
  return { isEnabled: true, disabledReason: null }
}

const limits = [
  ['cpuRatio', 'cpu_ratio'],
  ['memoryRatio', 'memory_ratio'],
  ['diskRatio', 'disk_ratio'],
  ['reservedVcpus', 'reserved_vcpus'],
  ['reservedMemoryMiB', 'reserved_memory_mib'],
  ['reservedDiskGiB', 'reserved_disk_gib'],
] as const

/** What is kept back must leave something to promise. @throws Invalid naming the field */
function checkReserved(host: HostUse, change: Change): void {
  for (const [field, size] of [
    ['reserved_vcpus', host.vcpus],
    ['reserved_memory_mib', host.memoryMiB],
    ['reserved_disk_gib', host.diskGiB],
  ] as const) {
    const wanted = change[field] ?? 0
    if (wanted > size) throw new Invalid(`${field}: ${wanted} is more than the ${size} that ${host.name} has`)
  }
}

export async function update(call: Call): Promise<Reply> {
  const change = parseBody(hostChange, call.body)
  const host = await find(call)
  const wish = wishOf(change)
  checkReserved(host, change)
  const set = limits.flatMap(([limit, field]) => (change[field] === undefined ? [] : [[limit, change[field]] as const]))
  await call.db.transaction(async (trx) => {
    if (wish) await changeHost(trx, host.name, wish)
    await setHost(trx, host.name, {
      ...(set.length > 0 ? { limits: Object.fromEntries(set) } : {}),
      ...(change.rack === undefined ? {} : { rack: change.rack }),
      ...(change.traits === undefined ? {} : { traits: change.traits }),
    })
  })
  return await show(call)
}
