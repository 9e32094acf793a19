/** Which parts of Neutron there are. */
import { NotFound } from '../../core/errors.ts'
import type { Call, OpenCall, Reply, Route } from '../route.ts'

const aliases = {
  'security-group': 'security-group',
  provider: 'Provider Network',
  binding: 'Port Binding',
  'net-mtu': 'Network MTU',
  'standard-attr-timestamp': 'Resource timestamps',
  'standard-attr-description': 'standard-attr-description',
  'standard-attr-tag': 'Tag support for resources with standard attribute',
  'standard-attr-revisions': 'Resource revision numbers',
  'project-id': 'project_id field enabled',
  'port-security': 'Port Security',
  'allowed-address-pairs': 'Allowed Address Pairs',
  'port-security-groups-filtering': 'Port filtering on security groups',
  'ip-substring-filtering': 'IP address substring filtering',
  quotas: 'Quota management support',
  quota_details: 'Quota details management support',
  pagination: 'Pagination support',
  sorting: 'Sorting support',
  qos: 'Quality of Service',
  'qos-default': 'QoS default policy',
  'qos-bw-limit-direction': 'Direction for QoS bandwidth limit rule',
  'qos-rule-type-details': 'Details of QoS rule types',
  agent: 'agent',
  availability_zone: 'Availability Zone',
} as const

function view([alias, name]: readonly [string, string]): Readonly<Record<string, unknown>> {
  return { alias, name, description: name, links: [], updated: '2016-09-12T10:00:00-00:00' }
}

export function index(): Reply {
  return { status: 200, body: { extensions: Object.entries(aliases).map(view) } }
}

export function show({ params }: Call): Reply {
  const found = Object.entries(aliases).find(([alias]) => alias === params.alias)
  if (!found) throw new NotFound('Extension', params.alias ?? '')
  return { status: 200, body: { extension: view(found) } }
}

export function allVersions({ root }: OpenCall): Reply {
  const links = [{ rel: 'self', href: `${root}/networking/v2.0/` }]
  return { status: 200, body: { versions: [{ id: 'v2.0', status: 'CURRENT', links }] } }
}

export function version(): Reply {
  return { status: 200, body: { resources: [] } }
}

/** What clients ask for and this cloud has none of: a network's gateway is its host's, and addresses are of the network itself. */
const absent = [
  ['floatingips', 'floatingips'],
  ['routers', 'routers'],
  ['subnetpools', 'subnetpools'],
  ['trunks', 'trunks'],
  ['rbac-policies', 'rbac_policies'],
  ['address-scopes', 'address_scopes'],
] as const

/** Empty lists, without their extensions: nothing of them can be made. */
export const absentRoutes: readonly Route[] = absent.map(([path, key]) => ({
  method: 'get',
  path: `/v2.0/${path}`,
  rule: 'get_extension',
  run: () => ({ status: 200, body: { [key]: [] } }),
}))
