/** Which CPUs of the host a guest with hw:cpu_policy=dedicated has to itself. Source: nova, flavor extra spec `hw:cpu_policy`. */
import { Unsupported } from '../core/errors.ts'
import type { ComputeDriver } from '../driver/driver.ts'

/** '0-2,5' as [0, 1, 2, 5]. Source: cpuset(7), "List format". */
function cpusOf(list: string): readonly number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

/**
 * CPUs that no other guest has; where there are too few, those that the fewest have. Nobody else may choose until the guest is made.
 *
 * @returns a list as cpuset(7) has it, such as '2,3'
 * @throws  Unsupported when the host has fewer CPUs
 */
export async function chooseCpus(
  driver: Pick<ComputeDriver, 'list' | 'capacity'>,
  serverId: string,
  count: number,
): Promise<string> {
  const [{ vcpus }, guests] = await Promise.all([driver.capacity(), driver.list()])
  if (count > vcpus) throw new Unsupported(`${count} dedicated CPUs were asked for, and this host has ${vcpus}`)
  const uses = Array.from({ length: vcpus }, () => 0)
  const others = guests.flatMap((guest) => (guest.serverId === serverId ? [] : (guest.cpuset ?? [])))
  for (const cpu of others.flatMap(cpusOf)) uses[cpu] = (uses[cpu] ?? 0) + 1
  return uses
    .map((use, cpu) => ({ use, cpu }))
    .toSorted((a, b) => a.use - b.use || a.cpu - b.cpu)
    .slice(0, count)
    .map(({ cpu }) => cpu)
    .toSorted((a, b) => a - b)
    .join(',')
}
