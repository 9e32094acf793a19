/** What hosts have and servers take, in placement's classes. */
import { Invalid } from '../../core/errors.ts'
import type { HostUse } from '../../db/hosts.ts'
import type { Promised } from '../../db/promises.ts'

export const resourceClasses = ['VCPU', 'MEMORY_MB', 'DISK_GB'] as const
export type ResourceClass = (typeof resourceClasses)[number]
export type Amounts = Readonly<Partial<Record<ResourceClass, number>>>

export interface Inventory {
  readonly total: number
  readonly reserved: number
  readonly min_unit: number
  readonly max_unit: number
  readonly step_size: number
  readonly allocation_ratio: number
}

function inventory(total: number, reserved: number, ratio: number): Inventory {
  return { total, reserved, min_unit: 1, max_unit: total, step_size: 1, allocation_ratio: ratio }
}

/** Of what it has nothing, it says nothing. */
export function inventoriesOf(host: HostUse): Readonly<Partial<Record<ResourceClass, Inventory>>> {
  const all = {
    VCPU: inventory(host.vcpus, host.reservedVcpus, host.cpuRatio),
    MEMORY_MB: inventory(host.memoryMiB, host.reservedMemoryMiB, host.memoryRatio),
    DISK_GB: inventory(host.diskGiB, host.reservedDiskGiB, host.diskRatio),
  }
  return Object.fromEntries(Object.entries(all).filter(([, { total }]) => total > 0))
}

export function usagesOf(host: HostUse): Amounts {
  return { VCPU: host.usedVcpus, MEMORY_MB: host.usedMemoryMiB, DISK_GB: host.usedDiskGiB }
}

export function capacityOf({ total, reserved, allocation_ratio: ratio }: Inventory): number {
  return Math.floor((total - reserved) * ratio)
}

/** Of what it takes nothing, it says nothing. */
export function amountsOf({ vcpus, memoryMiB, diskGiB }: Promised): Amounts {
  const all = { VCPU: vcpus, MEMORY_MB: memoryMiB, DISK_GB: diskGiB }
  return Object.fromEntries(Object.entries(all).filter(([, amount]) => amount > 0))
}

function isClass(name: string): name is ResourceClass {
  return resourceClasses.some((known) => known === name)
}

/** `VCPU:2,MEMORY_MB:512`. @throws Invalid */
export function amountsIn(text: string): Amounts {
  const pairs = text.split(',').map((part) => {
    const [, name = '', amount = ''] = /^([A-Z0-9_]+):([1-9]\d{0,8})$/.exec(part) ?? []
    if (amount === '')
      throw new Invalid(
        `Badly formed resources parameter. Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024. Got: ${text}.`,
      )
    if (!isClass(name))
      throw new Invalid(`Invalid resource class in resources parameter: No such resource class ${name}.`)
    return [name, Number(amount)] as const
  })
  return Object.fromEntries(pairs)
}

/** Whether a host may still be promised this much. */
export function hasRoom(host: HostUse, wanted: Amounts): boolean {
  const [inventories, usages] = [inventoriesOf(host), usagesOf(host)]
  return resourceClasses.every((name) => {
    const [asked, has] = [wanted[name], inventories[name]]
    return asked === undefined || (has !== undefined && (usages[name] ?? 0) + asked <= capacityOf(has))
  })
}
