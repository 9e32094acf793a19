/** GET /extensions: a list that older clients ask for; nothing depends on it since microversions. */
import { NotFound } from '../../core/errors.ts'
import type { Call, Reply } from '../route.ts'

const names = {
  servers: 'Servers',
  flavors: 'Flavors',
  'os-keypairs': 'Keypairs',
  'os-availability-zone': 'AvailabilityZone',
  'os-console-output': 'ConsoleOutput',
  'os-consoles': 'Consoles',
  'os-extended-server-attributes': 'ExtendedServerAttributes',
  'os-extended-status': 'ExtendedStatus',
  'os-hosts': 'Hosts',
  'os-hypervisors': 'Hypervisors',
  'os-instance-actions': 'InstanceActions',
  'os-quota-sets': 'Quotas',
  'os-services': 'Services',
  limits: 'Limits',
} as const

function view(alias: string, name: string): Readonly<Record<string, unknown>> {
  return {
    alias,
    name,
    description: name,
    links: [],
    namespace: 'http://docs.openstack.org/compute/ext/fake_xml',
    updated: '2014-12-03T00:00:00Z',
  }
}

export function index(): Reply {
  return { status: 200, body: { extensions: Object.entries(names).map(([alias, name]) => view(alias, name)) } }
}

export function show({ params }: Call): Reply {
  const found = Object.entries(names).find(([alias]) => alias === params.alias)
  if (!found) throw new NotFound('Extension', params.alias ?? '')
  return { status: 200, body: { extension: view(...found) } }
}
