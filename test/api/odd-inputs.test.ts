/** What no client in its right mind sends is refused, and breaks nothing. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { facades } from '../../api/app.ts'
import { highest } from '../../api/microversion.ts'
import { hasVersion, type Route } from '../../api/route.ts'
import { boot, place, startApi, tokenOf, type TestApi } from './fixture.ts'

let api: TestApi
let token: string
let serverId: string
beforeAll(async () => {
  api = await startApi()
  token = await tokenOf(api.url, 'admin', 'admin')
  serverId = await boot(api)
  await place(api.db, serverId)
})
afterAll(async () => {
  await api.stop()
})

interface Asked {
  readonly method: string
  readonly path: string
  readonly version?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** The status; what is said is not looked at. */
async function ask({ method, path, version = highest, headers, body }: Asked): Promise<number> {
  const response = await fetch(`${api.url}${path}`, {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
    headers: {
      'X-Auth-Token': token,
      'OpenStack-API-Version': `compute 2.${version}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })
  await response.arrayBuffer()
  return response.status
}

/** A host that no test has is away, and some things are said not to be here: both are answers. */
const foreseen: readonly number[] = [501, 503]

async function broken(requests: readonly Asked[]): Promise<readonly string[]> {
  const left = [...requests]
  const failed: string[] = []
  const work = async (): Promise<void> => {
    for (let asked = left.pop(); asked; asked = left.pop()) {
      const status = await ask(asked)
      if (status >= 500 && !foreseen.includes(status))
        failed.push(`${asked.method} ${asked.path} ${asked.body?.slice(0, 200) ?? ''}: ${status}`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  return failed
}

/** All routes, each once, at the newest version that has it. */
const routes: readonly { readonly route: Route; readonly at: string; readonly version: number }[] = facades.flatMap(
  ({ at, routes: all }) =>
    all.map((route) => {
      const version = Array.from({ length: highest }, (_none, index) => highest - index).find((one) =>
        hasVersion(route, one),
      )
      return { route, at, version: version ?? highest }
    }),
)

/** Nothing that a path of these removes or ends is there. */
const oddWords = ['constructor', '00000000-0000-4000-8000-000000000000', '9'.repeat(30)] as const

test.each(oddWords)('a path with %s in the place of an id', async (word) => {
  const requests = routes
    .filter(({ route }) => route.path.includes(':'))
    .map(({ route, at, version }) => {
      const isWriting = ['post', 'put', 'patch'].includes(route.method)
      return {
        method: route.method.toUpperCase(),
        path: `${at}${route.path.replace(/:\w+/g, word)}`,
        version,
        ...(isWriting ? { body: '{}' } : {}),
      }
    })
  expect(await broken(requests)).toEqual([])
})

const oddQuery = [
  'id=x&device_id=x&user_id=x&host=x&tag=x&tags=x&limit=1&limit=2&marker=&sort_key=&sort_dir=sideways&fields=&changes-since=0000-00-00&start=x',
  'enabled__contains=x&limit=99999999999999999999&marker=%F0%28&offset=9999999999999999999999&user.id=%00&visibility=x',
] as const

test.each(oddQuery)('a list with ?%s', async (query) => {
  const requests = routes
    .filter(({ route }) => route.method === 'get')
    .map(({ route, at, version }) => ({
      method: 'GET',
      path: `${at}${route.path.replace(/:id\b/, serverId).replace(/:\w+/g, 'x')}?${query}`,
      version,
    }))
  expect(await broken(requests)).toEqual([])
})

const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`

test.each([
  ['nothing', ''],
  ['null', 'null'],
  ['a list', '[]'],
  ['half a word', '{"a'],
  ['two values of a key', '{"server":{},"server":1}'],
  ['lists in lists', `{"server":${nested},"port":${nested},"auth":${nested}}`],
])('a body of %s', async (_what, body) => {
  const requests = routes
    .filter(({ route }) => ['post', 'put', 'patch'].includes(route.method))
    .map(({ route, at, version }) => ({
      method: route.method.toUpperCase(),
      path: `${at}${route.path.replace(/:id\b/, serverId).replace(/:\w+/g, 'x')}`,
      version,
      body,
    }))
  expect(await broken(requests)).toEqual([])
})

/** A body with one of its texts made odd, for each. */
function spoilt(value: unknown, odd: unknown): readonly unknown[] {
  if (typeof value === 'string' || typeof value === 'number') return [odd]
  if (Array.isArray(value)) return value.flatMap((one) => spoilt(one, odd).map((bad) => [bad]))
  const entries = Object.entries(z.record(z.string(), z.unknown()).catch({}).parse(value))
  return entries.flatMap(([key, one]) =>
    spoilt(one, odd).map((bad) => ({ ...Object.fromEntries(entries), [key]: bad })),
  )
}

const oddValues: readonly unknown[] = ['a\0b', '\ud800', 1e300, null, 'fe80::1%eth0', 'x'.repeat(70_000)]

function bodies(): readonly (readonly [request: string, body: unknown])[] {
  const { imageId: imageRef, networkId: network_id } = api
  const server = { name: 'odd', imageRef, flavorRef: '1', networks: [{ uuid: network_id, fixed_ip: '10.77.0.9' }] }
  const more = { key_name: 'k', user_data: 'eA==', metadata: { a: 'b' }, availability_zone: 'nova', description: 'd' }
  const last = {
    tags: ['t'],
    hostname: 'h',
    accessIPv6: '::1',
    adminPass: 'p',
    max_count: 1,
    security_groups: [{ name: 'default' }],
  }
  return [
    ['POST /compute/v2.1/servers', { server: { ...server, ...more, ...last } }],
    [`PUT /compute/v2.1/servers/${serverId}`, { server: { name: 'n', description: 'd', accessIPv4: '192.0.2.1' } }],
    [`POST /compute/v2.1/servers/${serverId}/metadata`, { metadata: { a: 'b' } }],
    [`PUT /compute/v2.1/servers/${serverId}/tags`, { tags: ['t'] }],
    [
      `POST /compute/v2.1/servers/${serverId}/os-interface`,
      { interfaceAttachment: { net_id: network_id, fixed_ips: [{ ip_address: '10.77.0.8' }] } },
    ],
    [`POST /compute/v2.1/servers/${serverId}/action`, { lock: { locked_reason: 'r' } }],
    [`POST /compute/v2.1/servers/${serverId}/action`, { createImage: { name: 'n', metadata: { a: 'b' } } }],
    [`POST /compute/v2.1/servers/${serverId}/action`, { addSecurityGroup: { name: 'default' } }],
    ['POST /compute/v2.1/flavors', { flavor: { name: 'odd', ram: 1, vcpus: 1, disk: 1, id: 'odd', description: 'd' } }],
    ['POST /compute/v2.1/flavors/1/os-extra_specs', { extra_specs: { a: 'b' } }],
    ['POST /compute/v2.1/os-keypairs', { keypair: { name: 'odd', public_key: 'ssh-rsa AAAA', user_id: 'user-mia' } }],
    ['POST /compute/v2.1/os-aggregates', { aggregate: { name: 'odd', availability_zone: 'z' } }],
    ['POST /compute/v2.1/os-server-groups', { server_group: { name: 'odd', policy: 'affinity' } }],
    [`PUT /compute/v2.1/os-quota-sets/${api.projectId}`, { quota_set: { instances: 1000, ram: 100_000 } }],
    [
      'POST /identity/v3/projects',
      { project: { name: 'odd', description: 'd', domain_id: 'default', parent_id: 'default', mail: 'm' } },
    ],
    ['POST /identity/v3/users', { user: { name: 'odd', default_project_id: 'p', mail: 'm' } }],
    ['POST /identity/v3/regions', { region: { id: 'odd', description: 'd' } }],
    ['POST /networking/v2.0/networks', { network: { name: 'odd', description: 'd', mtu: 1400, project_id: 'p' } }],
    [
      'POST /networking/v2.0/subnets',
      {
        subnet: {
          network_id,
          cidr: '10.99.0.0/24',
          gateway_ip: '10.99.0.1',
          allocation_pools: [{ start: '10.99.0.2', end: '10.99.0.9' }],
          dns_nameservers: ['10.0.0.1'],
          host_routes: [{ destination: '10.1.0.0/16', nexthop: '10.99.0.3' }],
        },
      },
    ],
    [
      'POST /networking/v2.0/ports',
      {
        port: {
          network_id,
          name: 'n',
          mac_address: 'fa:16:3e:00:00:09',
          fixed_ips: [{ ip_address: '10.77.0.7' }],
          device_id: 'd',
          allowed_address_pairs: [{ ip_address: '10.0.0.9' }],
          security_groups: ['x'],
        },
      },
    ],
    [
      'POST /networking/v2.0/security-group-rules',
      {
        security_group_rule: {
          security_group_id: 'x',
          direction: 'ingress',
          protocol: 'tcp',
          port_range_min: 1,
          port_range_max: 2,
          remote_ip_prefix: '10.0.0.0/8',
        },
      },
    ],
    [
      'POST /ipam/v1/pools',
      {
        name: 'odd',
        cidr: '10.98.0.0/24',
        gateway: '10.98.0.1',
        ranges: [{ first: '10.98.0.2', last: '10.98.0.9' }],
        dns: ['10.0.0.1'],
        quarantine_seconds: 5,
      },
    ],
    ['POST /ipam/v1/pools/private/grow', { first: '10.77.3.1', last: '10.77.3.2' }],
    ['POST /ipam/v1/pools/private/exclude', { first: '10.77.3.1', last: '10.77.3.2' }],
    ['POST /ipam/v1/pools/private/reservations', { address: '10.77.3.3', name: 'odd', note: 'n', subnet: 's' }],
    ['POST /ipam/v1/pools/private/import', { csv: 'address,name,note' }],
    ['POST /image/v2/images', { name: 'odd', min_disk: 1, container_format: 'bare', tags: ['t'], colour: 'red' }],
  ]
}

test('a body with one odd value', async () => {
  const requests = bodies().flatMap(([request, body]) => {
    const [method = '', path = ''] = request.split(' ')
    return oddValues.flatMap((odd) => spoilt(body, odd).map((bad) => ({ method, path, body: JSON.stringify(bad) })))
  })
  expect(await broken(requests)).toEqual([])
}, 120_000)

test('paths that are none, and methods that nobody asks with', async () => {
  const paths = [
    '/compute/v2.1/servers/%ff',
    '/compute/v2.1/servers/%00',
    '/identity/v3/users?name=%00',
    '/compute/v2.1/servers//',
    '/compute//v2.1/servers',
    '/identity/v3/users/%',
    '/%00',
  ]
  const requests = paths.flatMap((path) => ['GET', 'HEAD', 'OPTIONS', 'DELETE'].map((method) => ({ method, path })))
  expect(await broken(requests)).toEqual([])
  expect(await ask({ method: 'OPTIONS', path: '/compute/v2.1/servers' })).toBe(405)
  expect(await ask({ method: 'HEAD', path: '/compute/v2.1/servers' })).toBe(200)
})

test('a number that no column keeps is bad input', async () => {
  expect(await ask({ method: 'GET', path: '/image/v2/images?min_ram=99999999999' })).toBe(400)
})

test('the last address of all is a subnet as any other', async () => {
  const subnet = { network_id: api.networkId, cidr: '10.96.0.255/32', ip_version: 4 }
  expect(await ask({ method: 'POST', path: '/networking/v2.0/subnets', body: JSON.stringify({ subnet }) })).toBe(201)
})
