/** Debian's own clients, unmodified, against the API. A stand-in for scheduler and agent ends what they begin. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { changes } from '../../core/states.ts'
import { heartbeat } from '../../db/hosts.ts'
import { giveBack } from '../../ipam/give-back.ts'
import { addHost, password, place, startApi, type TestApi } from './fixture.ts'

let api: TestApi
let directory: string
const ended = new AbortController()
let standIn: Promise<void>

/** Every change ends as wished, at once. */
async function endChanges(): Promise<void> {
  const { db } = api
  while (!ended.signal.aborted) {
    await pause(50)
    await heartbeat(db, 'host-1', null)
    for (const { id } of await db('servers').where({ taskState: 'scheduling' }).select('id')) await place(db, id)
    for (const { during, to } of Object.values(changes))
      if (to !== 'deleted')
        await db('servers')
          .where({ taskState: during })
          .update({ vmState: to, taskState: null, powerState: to === 'active' ? 1 : 4 })
    for (const { id } of await db('servers').where({ taskState: 'deleting' }).select('id'))
      await db.transaction((trx) => giveBack(trx, id))
  }
}

beforeAll(async () => {
  api = await startApi()
  directory = await mkdtemp(join(tmpdir(), 'berth-cli-'))
  await addHost(api.db, 'host-1')
  standIn = endChanges()
})
afterAll(async () => {
  ended.abort()
  await standIn
  await rm(directory, { recursive: true })
  await api.stop()
})

async function run(
  program: 'openstack' | 'nova',
  command: string,
): Promise<{ readonly text: string; readonly failed: boolean }> {
  const { all, failed } = await execa(`/usr/bin/${program}`, command.split(' '), {
    all: true,
    reject: false,
    timeout: 60_000,
    cwd: directory,
    extendEnv: false,
    env: {
      PATH: '/usr/bin:/bin',
      HOME: directory,
      OS_AUTH_URL: `${api.url}/identity`,
      OS_USERNAME: 'admin',
      OS_PASSWORD: password,
      OS_PROJECT_NAME: 'admin',
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_REGION_NAME: 'RegionOne',
      OS_IDENTITY_API_VERSION: '3',
    },
  })
  return { text: all, failed }
}

/** What a command prints. @throws when it fails */
async function openstack(command: string): Promise<string> {
  const { text, failed } = await run('openstack', command)
  if (failed) throw new Error(`openstack ${command}: ${text}`)
  return text
}

/** What a command says when it fails. @throws when it does not */
async function refused(command: string): Promise<string> {
  const { text, failed } = await run('openstack', command)
  if (!failed) throw new Error(`openstack ${command} did not fail: ${text}`)
  return text
}

test('the catalogue, images, flavors and networks are found', async () => {
  expect(await openstack('token issue -f value -c project_id')).toMatch(/^[0-9a-f]{32}$/)
  expect(await openstack('catalog list -f value -c Name')).toBe('keystone\nnova\nglance\nneutron\nplacement')
  expect(await openstack('versions show -f value')).toContain('2.96')
  expect(await openstack('image show debian-12 -f value -c status')).toBe('active')
  expect(await openstack('flavor list -f value -c Name')).toContain('m1.tiny')
  expect(await openstack('flavor show m1.tiny -f value -c ram')).toBe('512')
  expect(await openstack('network list -f value -c Name')).toBe('private')
  expect(await openstack('subnet show private-subnet -f value -c cidr')).toBe('10.77.0.0/22')
  expect(await openstack('security group list -f value -c Name')).toBe('default')
  expect(await openstack('extension list -f value -c Alias')).toContain('security-group')
}, 120_000)

test('a network with a subnet and a port is made and removed', async () => {
  await openstack('network create n1')
  await openstack('subnet create --network n1 --subnet-range 10.99.0.0/24 s1')
  await openstack('port create --network n1 --fixed-ip subnet=s1,ip-address=10.99.0.50 p1')
  expect(await refused('port create --network n1 --fixed-ip subnet=s1,ip-address=10.99.0.50 p2')).toContain(
    'already allocated',
  )
  await openstack('server create --image debian-12 --flavor m1.nano --port p1 --wait on-port')
  expect(await openstack('server show on-port -f value -c addresses')).toBe("{'n1': ['10.99.0.50']}")
  await openstack('server delete --wait on-port')
  expect(await openstack('port show p1 -f value -c device_id')).toBe('')
  await openstack('port delete p1')
  await openstack('subnet delete s1')
  await openstack('network delete n1')
}, 120_000)

test('a server is booted, stopped, started, rebooted, renamed and deleted', async () => {
  await writeFile(join(directory, 'ud'), '#!/bin/sh\n')
  expect(await openstack('keypair create k1')).toContain('PRIVATE KEY')
  const nic = `--nic net-id=${api.networkId},v4-fixed-ip=10.77.0.77`
  const boot = `server create --image debian-12 --flavor m1.nano ${nic} --key-name k1 --user-data ud --security-group default`
  expect(await openstack(`${boot} --property a=b --wait vm1 -f value -c status`)).toContain('ACTIVE')
  expect(await refused(`${boot} vm2`)).toContain('Fixed IP address 10.77.0.77 is already in use on instance')
  expect(await openstack('server list -f value -c Name -c Status -c Networks')).toBe(
    "vm1 ACTIVE {'private': ['10.77.0.77']}",
  )
  await openstack('server reboot --hard --wait vm1')
  await openstack('server stop vm1')
  await openstack('server start vm1')
  await openstack('server set --property x=y --name vm1b vm1')
  await openstack('server unset --property x vm1b')
  expect(await openstack('server show vm1b -f value -c properties')).toBe("{'a': 'b'}")
  expect(await openstack('server event list vm1b -f value -c Action')).toBe('start\nstop\nreboot\ncreate')
  await openstack('server delete --wait vm1b')
  expect(await refused('server show vm1b')).toContain("No server with a name or ID of 'vm1b' exists.")
}, 120_000)

test('an administrator looks at hosts, zones and limits', async () => {
  expect(await openstack('hypervisor list -f value -c State')).toBe('up')
  expect(await openstack('compute service list -f value -c Host -c State')).toBe('host-1 up')
  expect(await openstack('availability zone list --compute -f value')).toBe('nova available')
  expect(await openstack('quota show -f value -c instances')).toBe('-1')
  expect(await openstack('limits show --absolute -f value')).toContain('maxTotalInstances -1')
}, 60_000)

test('novaclient boots, lists and deletes', async () => {
  const boot = `boot --image debian-12 --flavor m1.nano --nic net-id=${api.networkId} --poll nv1`
  expect((await run('nova', boot)).text).toContain('100% complete')
  expect((await run('nova', 'list')).text).toMatch(/nv1 .*ACTIVE/)
  expect((await run('nova', 'show nv1')).text).toMatch(/flavor:original_name .* m1.nano/)
  expect((await run('nova', 'delete nv1')).failed).toBe(false)
}, 120_000)
