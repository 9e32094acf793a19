/** Which text stands at which path of the metadata service. */
import type { Vif } from '../../core/network.ts'
import type { Server } from '../../core/server.ts'
import * as ec2 from './ec2.ts'
import * as openstack from './openstack.ts'

/** What a guest is told at one path. */
export interface Answer {
  readonly type: 'application/json' | 'text/plain; charset=utf-8' | 'application/octet-stream'
  readonly body: string | Buffer
}

/** Who asks. */
export interface Guest {
  readonly server: Server
  readonly vifs: readonly Vif[]
}

function text(body: string): Answer {
  return { type: 'text/plain; charset=utf-8', body }
}

function json(value: unknown): Answer {
  return { type: 'application/json', body: JSON.stringify(value) }
}

function userData({ userData: base64 }: Server): Answer | null {
  return base64 === null ? null : { type: 'application/octet-stream', body: Buffer.from(base64, 'base64') }
}

const files = ['meta_data.json', 'network_data.json', 'user_data', 'vendor_data.json', 'vendor_data2.json'] as const

function openstackAnswer({ server, vifs }: Guest, [version, file, ...rest]: readonly string[]): Answer | null {
  if (version === undefined) return text(openstack.versions.join('\n'))
  if (!openstack.versions.some((known) => known === version) || rest.length > 0) return null
  if (file === undefined) return text(files.filter((one) => one !== 'user_data' || server.userData !== null).join('\n'))
  if (file === 'meta_data.json') return json(openstack.metaData(server))
  if (file === 'network_data.json') return json(openstack.networkData(vifs))
  if (file === 'vendor_data.json' || file === 'vendor_data2.json') return json({})
  return file === 'user_data' ? userData(server) : null
}

function ec2Answer({ server, vifs }: Guest, [version, part, ...path]: readonly string[]): Answer | null {
  if (!ec2.versions.some((known) => known === version)) return null
  if (part === undefined) return text(['meta-data/', ...(server.userData === null ? [] : ['user-data'])].join('\n'))
  if (part === 'user-data') return path.length === 0 ? userData(server) : null
  const found = part === 'meta-data' ? ec2.lookUp(ec2.treeOf(server, vifs), path, server.keyName ?? 'key') : null
  return found === null ? null : text(found)
}

/** @returns null when nothing stands there */
export function answer(guest: Guest, path: string): Answer | null {
  const [first, ...rest] = path.split('/').filter((part) => part !== '')
  if (first === undefined) return text([...ec2.versions, 'openstack'].join('\n'))
  return first === 'openstack' ? openstackAnswer(guest, rest) : ec2Answer(guest, [first, ...rest])
}
