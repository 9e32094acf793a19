/** Failures that Neutron has names of its own for, which its clients match. */
import { CloudError, type ErrorKind } from './errors.ts'

/** Neutron's exception names that are ours too, each with its kind. Source: neutron_lib/exceptions. */
const networkErrors = {
  AddressPairAndPortSecurityRequired: 'conflict',
  AddressPairsExhausted: 'invalid',
  DuplicateAddressPairInRequest: 'invalid',
  GatewayConflictWithAllocationPools: 'conflict',
  GatewayIpInUse: 'conflict',
  HostRouteInvalid: 'invalid',
  InvalidAllocationPool: 'invalid',
  InvalidInput: 'invalid',
  InvalidIpForNetwork: 'invalid',
  InvalidIpForSubnet: 'invalid',
  InvalidSharedSetting: 'conflict',
  MacAddressInUse: 'conflict',
  NetworkInUse: 'conflict',
  NoNetworkAvailable: 'unavailable',
  OutOfBoundsAllocationPool: 'invalid',
  OverQuota: 'conflict',
  OverlappingAllocationPools: 'conflict',
  PortBound: 'conflict',
  PortInUse: 'conflict',
  PortSecurityAndIPRequiredForSecurityGroups: 'invalid',
  PortSecurityPortHasSecurityGroup: 'conflict',
  QoSRulesConflict: 'conflict',
  QosPolicyInUse: 'conflict',
  SecurityGroupCannotRemoveDefault: 'conflict',
  SecurityGroupCannotUpdateDefault: 'conflict',
  SecurityGroupDefaultAlreadyExists: 'conflict',
  SecurityGroupEthertypeConflictWithProtocol: 'invalid',
  SecurityGroupInUse: 'conflict',
  SecurityGroupInvalidIcmpValue: 'invalid',
  SecurityGroupInvalidPortRange: 'invalid',
  SecurityGroupInvalidProtocolForPort: 'invalid',
  SecurityGroupMissingIcmpType: 'invalid',
  SecurityGroupProtocolRequiredWithPorts: 'invalid',
  SecurityGroupRemoteGroupAndRemoteIpPrefix: 'invalid',
  SecurityGroupRuleExists: 'conflict',
  SecurityGroupRuleInvalidProtocol: 'invalid',
  SecurityGroupRuleParameterConflict: 'invalid',
  SubnetInUse: 'conflict',
  TagNotFound: 'not-found',
  VlanIdInUse: 'conflict',
} as const satisfies Record<string, ErrorKind>
export type NetworkErrorName = keyof typeof networkErrors

export class NetworkError extends CloudError {
  readonly type: NetworkErrorName

  constructor(type: NetworkErrorName, message: string, options?: ErrorOptions) {
    super(networkErrors[type], message, options)
    this.type = type
  }
}
