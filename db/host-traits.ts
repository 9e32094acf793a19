/** What hosts are like, in the names by which flavors ask for it. */
import { z } from 'zod'
import type { HostRow } from './tables.ts'

/** What agents tell; those of older versions tell less. */
const told = z.object({
  datapath: z.string().nullable().catch(null),
  storageDriver: z.string().nullable().catch(null),
  cgroupVersion: z.number().nullable().catch(null),
  enforcesDisk: z.boolean().catch(false),
  userNamespaces: z.boolean().catch(false),
})

function trait(...words: readonly (string | number)[]): string {
  return ['CUSTOM', ...words].join('_').toUpperCase().replaceAll(/\W/g, '_')
}

/** Those of the machine, then those that an operator has set; named as in Nova's extra specs, such as CUSTOM_DATAPATH_SYSTEM. */
export function traitsOf({ traits, setTraits }: Pick<HostRow, 'traits' | 'setTraits'>): readonly string[] {
  const { datapath, storageDriver, cgroupVersion, enforcesDisk, userNamespaces } = told.parse(traits)
  return [
    ...(datapath === null ? [] : [trait('DATAPATH', datapath)]),
    ...(storageDriver === null ? [] : [trait('STORAGE', storageDriver)]),
    ...(cgroupVersion === null ? [] : [trait('CGROUP', `v${cgroupVersion}`)]),
    ...(enforcesDisk ? [trait('DISK_QUOTA')] : []),
    ...(userNamespaces ? [trait('USER_NAMESPACES')] : []),
    ...setTraits,
  ]
}
