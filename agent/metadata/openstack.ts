/** What a guest reads of itself, in OpenStack's form. Source: nova documentation, "Metadata" (user), and its network_data.json schema */
import ipaddr from 'ipaddr.js'
import { hostDevice, type Vif, type VifAddress } from '../../core/network.ts'
import type { Server } from '../../core/server.ts'

/** Dates of the forms that differ; all are served as the last. */
export const versions = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  '2020-10-14',
  'latest',
] as const

export function metaData(server: Server): Readonly<Record<string, unknown>> {
  const name = server.keyName ?? 'key'
  const keys = server.publicKey === null ? [] : [{ name, type: 'ssh', data: server.publicKey }]
  return {
    uuid: server.id,
    name: server.name,
    hostname: server.hostname,
    availability_zone: server.availabilityZone,
    project_id: server.projectId,
    launch_index: server.launchIndex,
    meta: server.metadata,
    devices: [],
    dedicated_cpus: [],
    ...(keys.length === 0 ? {} : { keys, public_keys: Object.fromEntries(keys.map((key) => [key.name, key.data])) }),
  }
}

function maskOf({ address, prefixLength }: VifAddress): string {
  return (
    address.includes(':')
      ? ipaddr.IPv6.subnetMaskFromPrefixLength(prefixLength)
      : ipaddr.IPv4.subnetMaskFromPrefixLength(prefixLength)
  ).toString()
}

function networkOf(vif: Vif, address: VifAddress, index: number): Readonly<Record<string, unknown>> {
  const isV6 = address.address.includes(':')
  const byGateway =
    address.gateway === null
      ? []
      : [{ network: isV6 ? '::' : '0.0.0.0', netmask: isV6 ? '::' : '0.0.0.0', gateway: address.gateway }]
  const bySubnet = (address.routes ?? []).map(({ destination, nexthop }) => {
    const [network = '', prefixLength] = destination.split('/')
    return {
      network,
      netmask: maskOf({ ...address, address: network, prefixLength: Number(prefixLength) }),
      gateway: nexthop,
    }
  })
  return {
    id: `network${index}`,
    link: hostDevice(vif.portId),
    type: isV6 ? 'ipv6' : 'ipv4',
    ip_address: address.address,
    netmask: maskOf(address),
    routes: [...byGateway, ...bySubnet],
    services: vif.dns.map((server) => ({ type: 'dns', address: server })),
  }
}

export function networkData(vifs: readonly Vif[]): Readonly<Record<string, unknown>> {
  const addresses = vifs.flatMap((vif) => vif.addresses.map((address) => ({ vif, address })))
  return {
    links: vifs.map((vif) => ({
      id: hostDevice(vif.portId),
      vif_id: vif.portId,
      type: 'ovs',
      mtu: vif.mtu,
      ethernet_mac_address: vif.mac,
    })),
    networks: addresses.map(({ vif, address }, index) => networkOf(vif, address, index)),
    services: [...new Set(vifs.flatMap(({ dns }) => dns))].map((address) => ({ type: 'dns', address })),
  }
}
