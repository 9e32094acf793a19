import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { addHost, boot, faultIn, place, startApi, type Client, type TestApi } from '../../fixture.ts'

let api: TestApi
let id: string
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  id = await boot(api, { metadata: { a: 'b' } })
  await place(api.db, id)
})
afterAll(async () => {
  await api.stop()
})

const link = z.strictObject({ rel: z.string(), href: z.url() })
const instant = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
const microseconds = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
const address = z.strictObject({
  addr: z.string(),
  version: z.union([z.literal(4), z.literal(6)]),
  'OS-EXT-IPS:type': z.literal('fixed'),
  'OS-EXT-IPS-MAC:mac_addr': z.string().regex(/^fa:16:3e(:[0-9a-f]{2}){3}$/),
})

/** What everybody sees at 2.1, and nothing beside. */
const basic = z.strictObject({
  id: z.uuid(),
  name: z.string(),
  status: z.string(),
  tenant_id: z.string(),
  user_id: z.string(),
  metadata: z.record(z.string(), z.string()),
  hostId: z.string().regex(/^[0-9a-f]{56}$/),
  image: z.strictObject({ id: z.uuid(), links: z.array(link) }),
  flavor: z.strictObject({ id: z.string(), links: z.array(link) }),
  created: instant,
  updated: instant,
  addresses: z.record(z.string(), z.array(address)),
  accessIPv4: z.string(),
  accessIPv6: z.string(),
  links: z.array(link),
  'OS-DCF:diskConfig': z.string(),
  progress: z.number(),
  'OS-EXT-AZ:availability_zone': z.string(),
  config_drive: z.enum(['True', '']),
  key_name: z.string().nullable(),
  'OS-SRV-USG:launched_at': microseconds.nullable(),
  'OS-SRV-USG:terminated_at': microseconds.nullable(),
  'OS-EXT-STS:task_state': z.string().nullable(),
  'OS-EXT-STS:vm_state': z.string(),
  'OS-EXT-STS:power_state': z.number(),
  'os-extended-volumes:volumes_attached': z.array(z.never()),
  security_groups: z.array(z.strictObject({ name: z.string() })),
})
const embedded = z.strictObject({
  vcpus: z.number(),
  ram: z.number(),
  disk: z.number(),
  ephemeral: z.number(),
  swap: z.number(),
  original_name: z.string(),
  extra_specs: z.record(z.string(), z.string()),
})

/** What each microversion adds. */
const added: readonly (readonly [number, z.ZodRawShape])[] = [
  [9, { locked: z.boolean() }],
  [19, { description: z.null() }],
  [26, { tags: z.array(z.string()) }],
  [47, { flavor: embedded }],
  [63, { trusted_image_certificates: z.null() }],
  [71, { server_groups: z.array(z.string()) }],
  [73, { locked_reason: z.null() }],
  [90, { 'OS-EXT-SRV-ATTR:hostname': z.string() }],
  [96, { pinned_availability_zone: z.null() }],
]
const addedForAdmins: readonly (readonly [number, z.ZodRawShape])[] = [
  [
    1,
    {
      'OS-EXT-SRV-ATTR:host': z.literal('host-1'),
      'OS-EXT-SRV-ATTR:hypervisor_hostname': z.literal('host-1'),
      'OS-EXT-SRV-ATTR:instance_name': z.string(),
    },
  ],
  [
    3,
    {
      'OS-EXT-SRV-ATTR:reservation_id': z.string(),
      'OS-EXT-SRV-ATTR:launch_index': z.literal(0),
      'OS-EXT-SRV-ATTR:hostname': z.literal('web'),
      'OS-EXT-SRV-ATTR:kernel_id': z.literal(''),
      'OS-EXT-SRV-ATTR:ramdisk_id': z.literal(''),
      'OS-EXT-SRV-ATTR:root_device_name': z.null(),
      'OS-EXT-SRV-ATTR:user_data': z.null(),
    },
  ],
  [16, { host_status: z.literal('UP') }],
]

function schemaAt(version: number, extra: typeof added): z.ZodObject {
  const shapes = extra.filter(([since]) => since <= version).map(([, shape]) => shape)
  return z.strictObject(Object.assign({}, basic.shape, ...shapes))
}

async function show(client: Client, version: number): Promise<unknown> {
  const { status, body } = await client(`GET /compute/v2.1/servers/${id}`, { version: `2.${version}` })
  expect(status).toBe(200)
  return z.strictObject({ server: z.unknown() }).parse(body).server
}

const versions = [1, 3, 9, 16, 19, 26, 47, 63, 71, 73, 90, 96]

test.each(versions)('a user sees a server at 2.%i as Nova shows it', async (version) => {
  schemaAt(version, added).parse(await show(api.member, version))
})

test.each(versions)('an administrator sees a server at 2.%i as Nova shows it', async (version) => {
  schemaAt(version, [...added, ...addedForAdmins]).parse(await show(api.admin, version))
})

test('an update is answered without what it never showed, until 2.75', async () => {
  const put = async (version: string): Promise<readonly string[]> => {
    const { status, body } = await api.member(`PUT /compute/v2.1/servers/${id}`, {
      version,
      body: { server: { name: 'web' } },
    })
    expect(status).toBe(200)
    return Object.keys(z.strictObject({ server: z.record(z.string(), z.unknown()) }).parse(body).server)
  }
  expect(await put('2.1')).not.toContain('OS-EXT-STS:vm_state')
  expect(await put('2.75')).toContain('OS-EXT-STS:vm_state')
})

test('a name, a description and addresses change; a description not before 2.19', async () => {
  const put = (version: string, server: unknown) =>
    api.member(`PUT /compute/v2.1/servers/${id}`, { version, body: { server } })
  expect((await put('2.18', { description: 'd' })).status).toBe(400)
  const changed = await put('2.19', { name: 'shop', description: 'd', accessIPv6: '0:0:0:0:0:babe:dc0c:1602' })
  expect(changed.body).toMatchObject({ server: { name: 'shop', description: 'd', accessIPv6: '::babe:dc0c:1602' } })
  expect((await put('2.19', { name: 'web', description: null, accessIPv6: '' })).status).toBe(200)
  expect((await put('2.19', { accessIPv4: 'x' })).status).toBe(400)
})

test('a server of another project is not found, and neither is a name', async () => {
  for (const [client, name] of [
    [api.stranger, id],
    [api.member, 'web'],
  ] as const) {
    const answer = await client(`GET /compute/v2.1/servers/${name}`)
    expect([answer.status, ...faultIn(answer)]).toEqual([404, 'itemNotFound', `Instance ${name} could not be found.`])
  }
  expect((await api.admin(`GET /compute/v2.1/servers/${id}`)).status).toBe(200)
})

test('the fault of a server in error is shown', async () => {
  const broken = await boot(api)
  await api.db('servers').where({ id: broken }).update({ vmState: 'error', taskState: null })
  await api.db('faults').insert({ serverId: broken, code: 500, message: 'No valid host was found.', details: 'secret' })
  const { body } = await api.member(`GET /compute/v2.1/servers/${broken}`)
  const { fault } = z
    .object({ server: z.object({ status: z.literal('ERROR'), fault: z.unknown() }) })
    .parse(body).server
  expect(fault).toEqual({ code: 500, message: 'No valid host was found.', created: expect.any(String) })
})
