import type { PortWithAddresses } from '../../db/ports.ts'
import { isAllowed } from '../policy.ts'
import type { Call } from '../route.ts'
import { seconds } from './times.ts'

type Json = Readonly<Record<string, unknown>>

function binding({ host, vifType, portSecurityEnabled }: PortWithAddresses): Json {
  return {
    'binding:host_id': host ?? '',
    'binding:vnic_type': 'normal',
    'binding:vif_type': host === null ? 'unbound' : (vifType ?? 'ovs'),
    'binding:vif_details': host === null ? {} : { port_filter: portSecurityEnabled, connectivity: 'l2' },
    'binding:profile': {},
  }
}

export function portView(port: PortWithAddresses, { caller }: Pick<Call, 'caller'>): Json {
  return {
    id: port.id,
    name: port.name,
    description: port.description,
    network_id: port.networkId,
    tenant_id: port.projectId,
    project_id: port.projectId,
    mac_address: port.mac,
    admin_state_up: port.adminStateUp,
    status: port.adminStateUp ? port.status : 'DOWN',
    device_id: port.deviceId,
    device_owner: port.deviceOwner,
    fixed_ips: port.fixedIps.map(({ subnetId, address }) => ({ subnet_id: subnetId, ip_address: address })),
    security_groups: port.securityGroupIds,
    allowed_address_pairs: port.allowedAddressPairs.map(({ address, mac }) => ({
      ip_address: address,
      mac_address: mac ?? port.mac,
    })),
    extra_dhcp_opts: [],
    port_security_enabled: port.portSecurityEnabled,
    qos_policy_id: port.qosPolicyId,
    dns_name: port.dnsName,
    dns_assignment: [],
    tags: port.tags,
    revision_number: port.revision,
    created_at: seconds(port.createdAt),
    updated_at: seconds(port.updatedAt),
    ...(isAllowed(caller, 'get_port:binding') ? binding(port) : { 'binding:vnic_type': 'normal' }),
  }
}
