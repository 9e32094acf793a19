/** What a guest reads of itself, from the rows of a server as the API makes them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { answer, type Guest } from '../../../agent/metadata/answer.ts'
import { findServer } from '../../../db/servers.ts'
import { vifsOf } from '../../../db/vifs.ts'
import { boot, startApi, type TestApi } from '../../api/fixture.ts'

let api: TestApi
let guest: Guest
let bare: Guest
const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL3nQ9rVZ0oJxGkq0l9sV0c5nqf3xvDq0d2q1wq1yJ0a someone'
const script = '#!/bin/sh\necho hello\n'

async function guestOf(id: string): Promise<Guest> {
  const server = await findServer(api.db, id)
  if (!server) throw new Error('no such server')
  return { server, vifs: await vifsOf(api.db, id) }
}

beforeAll(async () => {
  api = await startApi()
  await api.member('POST /compute/v2.1/os-keypairs', { body: { keypair: { name: 'mine', public_key: publicKey } } })
  const userData = Buffer.from(script).toString('base64')
  guest = await guestOf(await boot(api, { key_name: 'mine', user_data: userData, metadata: { role: 'web' } }))
  bare = await guestOf(await boot(api))
})
afterAll(async () => {
  await api.stop()
})

function read(path: string, who = guest): string | null {
  const found = answer(who, path)
  return found === null ? null : String(found.body)
}

function json(path: string): unknown {
  return JSON.parse(read(path) ?? '')
}

test('the root lists the versions of both forms', () => {
  expect(read('/')?.split('\n')).toEqual(expect.arrayContaining(['2009-04-04', 'latest', 'openstack']))
  expect(read('/openstack')?.split('\n')).toContain('latest')
})

test('OpenStack’s form tells identity, keys and metadata', () => {
  const { id, hostname, projectId } = guest.server
  expect(json('/openstack/latest/meta_data.json')).toMatchObject({
    uuid: id,
    hostname,
    project_id: projectId,
    meta: { role: 'web' },
    public_keys: { mine: publicKey },
    keys: [{ name: 'mine', type: 'ssh', data: publicKey }],
  })
  expect(json('/openstack/2018-08-27/vendor_data.json')).toEqual({})
})

test('OpenStack’s form tells each link, and each address with mask and routes', () => {
  const [vif] = guest.vifs
  const [address] = vif?.addresses ?? []
  expect(json('/openstack/latest/network_data.json')).toMatchObject({
    links: [{ vif_id: vif?.portId, ethernet_mac_address: vif?.mac, mtu: vif?.mtu }],
    networks: [
      {
        ip_address: address?.address,
        netmask: expect.stringMatching(/^255\./),
        routes: [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: address?.gateway }],
      },
    ],
  })
})

test('user data is given back byte for byte, and is not there when none was given', () => {
  for (const path of ['/openstack/latest/user_data', '/latest/user-data']) {
    expect(read(path)).toBe(script)
    expect(read(path, bare)).toBeNull()
  }
  expect(read('/openstack/latest/', bare)?.split('\n')).not.toContain('user_data')
})

test('Amazon’s form is a tree of texts', () => {
  expect(read('/latest/meta-data/')?.split('\n')).toEqual(
    expect.arrayContaining(['instance-id', 'local-ipv4', 'placement/', 'public-keys/']),
  )
  expect(read('/2009-04-04/meta-data/local-ipv4')).toBe(guest.vifs[0]?.addresses[0]?.address)
  expect(read('/latest/meta-data/placement/availability-zone')).toBe(guest.server.availabilityZone)
  expect(read('/latest/meta-data/public-keys/')).toBe('0=mine')
  expect(read('/latest/meta-data/public-keys/0/openssh-key')).toBe(publicKey)
  expect(read('/latest/meta-data/', bare)).not.toContain('public-keys')
})

test.each([
  '/openstack/1999-01-01/meta_data.json',
  '/openstack/latest/passwords',
  '/openstack/latest/meta_data.json/uuid',
  '/latest/meta-data/instance-id/more',
  '/latest/meta-data/constructor',
  '/yesterday/meta-data',
])('nothing stands at %s', (path) => {
  expect(read(path)).toBeNull()
})
