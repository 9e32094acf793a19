import type { Check } from '../check.ts'
import { addresses } from './addresses.ts'
import { cgroups } from './cgroups.ts'
import { claims } from './claims.ts'
import { files } from './files.ts'
import { flows } from './flows.ts'
import { guests } from './guests.ts'
import { hosts } from './hosts.ts'
import { images } from './images.ts'
import { jobs } from './jobs.ts'
import { limits } from './limits.ts'
import { manifests } from './manifests.ts'
import { mounts } from './mounts.ts'
import { namespaces } from './namespaces.ts'
import { ports } from './ports.ts'
import { requests } from './requests.ts'
import { switchRows } from './switch-rows.ts'
import { tasks } from './tasks.ts'
import { wires } from './wires.ts'

/** Every invariant; a new one is a file here and a word in this list. */
export const checks: readonly Check[] = [
  addresses,
  ports,
  claims,
  tasks,
  jobs,
  requests,
  hosts,
  images,
  manifests,
  guests,
  wires,
  switchRows,
  flows,
  limits,
  namespaces,
  cgroups,
  mounts,
  files,
]
