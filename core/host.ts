/** What a host offers, and what it is like. */

/** How much of a host is promised to servers: ratios of what it has, and what is kept back. */
export interface HostLimits {
  readonly cpuRatio: number
  readonly memoryRatio: number
  readonly diskRatio: number
  readonly reservedVcpus: number
  readonly reservedMemoryMiB: number
  readonly reservedDiskGiB: number
}

/** Why a host takes no new servers. */
export const disabledStates = ['disabled', 'draining', 'maintenance'] as const
export type DisabledState = (typeof disabledStates)[number]

/** A host that is silent, or declared so, is down whatever else it is. */
export const hostStates = ['up', 'down', ...disabledStates] as const
export type HostState = (typeof hostStates)[number]
