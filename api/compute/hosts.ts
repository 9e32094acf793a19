/** /os-hosts, until 2.43: what each project takes on a host; a host can be enabled and disabled, but not switched off from here. */
import { z } from 'zod'
import { Invalid, NotFound, Unsupported } from '../../core/errors.ts'
import { changeHost, hostsWithUse, projectsOnHost, type HostUse } from '../../db/hosts.ts'
import { listSchedulers } from '../../db/schedulers.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { internalZone } from './views/hypervisor.ts'

type Json = Readonly<Record<string, unknown>>

/** Without those that are disabled; the schedulers are in a zone of their own. */
export async function index({ db, query }: Call): Promise<Reply> {
  const zone = query.get('zone') ?? ''
  const [hosts, schedulers] = await Promise.all([hostsWithUse(db), listSchedulers(db)])
  const all = [
    ...schedulers.map(({ host }) => ({ host_name: host, service: 'scheduler', zone: internalZone })),
    ...hosts
      .filter(({ isEnabled }) => isEnabled)
      .map(({ name, zone: of }) => ({ host_name: name, service: 'compute', zone: of })),
  ]
  return { status: 200, body: { hosts: all.filter((host) => zone === '' || host.zone === zone) } }
}

async function hostOf({ db, params }: Call): Promise<HostUse> {
  const host = (await hostsWithUse(db)).find(({ name }) => name === params.name)
  if (!host) throw new NotFound('Host', params.name ?? '')
  return host
}

function resource(
  host: string,
  project: string,
  use: { readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB: number },
): Json {
  return { resource: { host, project, cpu: use.vcpus, memory_mb: use.memoryMiB, disk_gb: use.diskGiB } }
}

export async function show(call: Call): Promise<Reply> {
  const host = await hostOf(call)
  const projects = await projectsOnHost(call.db, host.name)
  const used = { vcpus: host.usedVcpus, memoryMiB: host.usedMemoryMiB, diskGiB: host.usedDiskGiB }
  const most = projects.reduce(
    (sum, { vcpus, memoryMiB, diskGiB }) => ({
      vcpus: sum.vcpus + vcpus,
      memoryMiB: sum.memoryMiB + memoryMiB,
      diskGiB: sum.diskGiB + diskGiB,
    }),
    { vcpus: 0, memoryMiB: 0, diskGiB: 0 },
  )
  const view = [
    resource(host.name, '(total)', host),
    resource(host.name, '(used_now)', used),
    resource(host.name, '(used_max)', most),
    ...projects.map((project) => resource(host.name, project.projectId, project)),
  ]
  return { status: 200, body: { host: view } }
}

const onOff = z
  .string()
  .trim()
  .toLowerCase()
  .pipe(z.enum(['enable', 'disable']))
const body = z.strictObject({ status: onOff.optional(), maintenance_mode: onOff.optional() })

export async function update(call: Call): Promise<Reply> {
  const { status, maintenance_mode } = parseBody(body, call.body)
  if (status === undefined && maintenance_mode === undefined)
    throw new Invalid('{} does not have enough properties: status or maintenance_mode is needed')
  const { name } = await hostOf(call)
  if (maintenance_mode !== undefined) throw new Unsupported('The requested functionality is not supported.')
  await changeHost(call.db, name, { isEnabled: status === 'enable', disabledAs: 'disabled', disabledReason: null })
  return { status: 200, body: { host: name, status: `${status ?? ''}d` } }
}

/** GET /os-hosts/{name}/startup, /shutdown, /reboot */
export async function power(call: Call): Promise<Reply> {
  await hostOf(call)
  throw new Unsupported('The requested functionality is not supported.')
}
