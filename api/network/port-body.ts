/** What a port may be told, new or changed. */
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import type { AddressPair } from '../../core/network.ts'
import { Invalid } from '../../core/errors.ts'
import { NetworkError } from '../../core/network-errors.ts'
import type { FixedIpWish } from './new-port.ts'
import { flag } from './values.ts'

const mac = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i)
const addressOrSubnet = z
  .string()
  .refine((text) => !text.includes('%') && (ipaddr.isValid(text) || ipaddr.isValidCIDR(text)), {
    error: 'is not a valid IP address or subnet',
  })
const fixedIp = z.strictObject({ subnet_id: z.uuid().optional(), ip_address: z.string().optional() })
const pair = z.strictObject({ ip_address: addressOrSubnet, mac_address: mac.optional() })

const common = {
  security_groups: z.array(z.string()).nullable().optional(),
  fixed_ips: z.array(fixedIp).optional(),
  allowed_address_pairs: z.array(pair).optional(),
  port_security_enabled: flag.optional(),
  mac_address: mac.optional(),
  extra_dhcp_opts: z.array(z.unknown()).max(0).optional(),
  qos_policy_id: z.string().nullable().optional(),
  'binding:vnic_type': z.literal('normal').optional(),
  'binding:host_id': z.string().nullable().optional(),
  'binding:profile': z.record(z.string(), z.never()).nullable().optional(),
} as const

export const wantedPort = z.strictObject({
  ...common,
  network_id: z.string(),
  name: z.string().max(255).default(''),
  description: z.string().max(255).default(''),
  admin_state_up: flag.default(true),
  device_id: z.string().max(255).default(''),
  device_owner: z.string().max(255).default(''),
  dns_name: z.string().max(255).default(''),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
})
export type WantedPort = z.output<typeof wantedPort>

export const portChanges = z.strictObject({
  port: z.strictObject({
    ...common,
    name: z.string().max(255).optional(),
    description: z.string().max(255).optional(),
    admin_state_up: flag.optional(),
    device_id: z.string().max(255).optional(),
    device_owner: z.string().max(255).optional(),
    dns_name: z.string().max(255).optional(),
  }),
})
export type PortChanges = z.output<typeof portChanges>['port']

/** null = nothing was said. @throws Invalid */
export function fixedIpsOf({ fixed_ips: asked }: Pick<WantedPort, 'fixed_ips'>): readonly FixedIpWish[] | null {
  if (asked === undefined) return null
  return asked.map(({ subnet_id: subnetId, ip_address: address }) => {
    if (subnetId !== undefined) return { subnetId, address }
    if (address !== undefined) return { address }
    throw new Invalid("Invalid input for fixed_ips. Reason: it needs 'subnet_id' or 'ip_address'.")
  })
}

/** Neutron's max_allowed_address_pair. */
const mostPairs = 10

/** @throws NetworkError when one is there twice, or there are too many */
export function pairsOf(asked: NonNullable<WantedPort['allowed_address_pairs']>): readonly AddressPair[] {
  const pairs = asked.map(({ ip_address: address, mac_address: of }) => ({ address, mac: of?.toLowerCase() ?? null }))
  const known = new Set<string>()
  for (const { address, mac: of } of pairs) {
    const key = `${of ?? ''} ${address}`
    if (known.has(key))
      throw new NetworkError(
        'DuplicateAddressPairInRequest',
        `Request contains duplicate address pair: mac_address ${of ?? 'of the port'} ip_address ${address}.`,
      )
    known.add(key)
  }
  if (pairs.length > mostPairs)
    throw new NetworkError(
      'AddressPairsExhausted',
      `The number of allowed address pair exceeds the maximum ${mostPairs}.`,
    )
  return pairs
}

/** What port security is for needs it on. @throws NetworkError as Neutron does */
export function checkPortSecurity({
  isEnabled,
  hasGroups,
  hasPairs,
  isNew,
}: {
  readonly isEnabled: boolean
  readonly hasGroups: boolean
  readonly hasPairs: boolean
  readonly isNew: boolean
}): void {
  if (isEnabled) return
  if (hasGroups)
    throw isNew
      ? new NetworkError(
          'PortSecurityAndIPRequiredForSecurityGroups',
          'Port security must be enabled and port must have an IP address in order to use security groups.',
        )
      : new NetworkError(
          'PortSecurityPortHasSecurityGroup',
          'Port has security group associated. Cannot disable port security or IP address until security group is removed.',
        )
  if (hasPairs)
    throw new NetworkError(
      'AddressPairAndPortSecurityRequired',
      'Port Security must be enabled in order to have allowed address pairs on a port.',
    )
}
