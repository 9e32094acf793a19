/** NICs and addresses that come and go while the guest runs, with the unmodified client. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { z } from 'zod'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
let berth: Client
/** of the guest, on the network that every project has */
let address: string
/** of another guest */
let peer: string

/** What a second NIC is on: a network of its own, with a route. A third one's is of both families. */
const second = { gateway: '10.55.0.1', range: '10.55.0.0/24', mtu: '1400' }
const beyond = { range: '198.51.100.0/24', router: '10.55.0.2' }
const third = [
  { version: '4', gateway: '10.59.0.1', range: '10.59.0.0/24' },
  { version: '6', gateway: 'fd59::1', range: 'fd59::/64' },
] as const

beforeAll(async () => {
  cloud = await startCloud()
  client = new Client(cloud)
  berth = new Client(cloud, { command: 'berth' })
  const keyFile = join(cloud.site.layout.home, 'tmp', 'interfaces.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'interfaces')
  await client.run('network', 'create', '--mtu', second.mtu, 'second')
  const route = ['--host-route', `destination=${beyond.range},gateway=${beyond.router}`]
  await client.run('subnet', 'create', '--network', 'second', '--subnet-range', second.range, ...route, 'second')
  await client.run('network', 'create', 'third')
  for (const { version, range } of third) {
    const words = ['--ip-version', version, '--subnet-range', range, `third-${version}`]
    await client.run('subnet', 'create', '--network', 'third', ...words)
  }
  const boot = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--key-name', 'interfaces', '--network', 'private']
  await client.run('server', 'create', ...boot, '--wait', 'nics')
  address = (await client.value('addresses', 'server', 'show', 'nics')).replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
  await until(() => client.ssh(address, 'true'), { timeoutMs: 60_000, what: 'ssh' })
}, 600_000)
afterAll(async () => {
  await client.try('server', 'delete', '--wait', 'nics')
  await client.try('server', 'delete', '--wait', 'peer')
  await client.try('port', 'delete', 'mine')
  await client.try('network', 'delete', 'second', 'third')
  await client.try('network', 'qos', 'policy', 'delete', 'slow')
  await client.try('flavor', 'delete', 'limited')
  await client.try('keypair', 'delete', 'interfaces')
  expect(await cloud.audit()).toEqual([])
}, 120_000)

/** Waits until the guest says what is expected. */
async function says(command: string, expected: RegExp): Promise<string> {
  return await until(
    async () => {
      const text = await client.ssh(address, command)
      return text !== null && expected.test(text) ? text : null
    },
    { timeoutMs: 60_000, what: `${command} saying ${expected.source}` },
  )
}

async function reaches(from: string, gateway = second.gateway): Promise<string | null> {
  return await client.ssh(address, `ping -c1 -W2 -I ${from} ${gateway} >/dev/null && echo pong`)
}

const noDevice = /^$/
const eth1 = 'ip -brief address show eth1 2>/dev/null; true'
const eth2 = 'ip -brief address show eth2 2>/dev/null; true'

test('a port with a named address is attached to the running guest, which reaches its network', async () => {
  const fixed = ['--fixed-ip', 'subnet=second,ip-address=10.55.0.77']
  await client.run('port', 'create', '--network', 'second', ...fixed, 'mine')
  const before = await client.ssh(address, 'stat -c %Y /proc/1')
  await client.run('server', 'add', 'port', 'nics', 'mine')
  await says(eth1, /UP.* 10\.55\.0\.77\/24/)
  expect(await client.ssh(address, 'cat /sys/class/net/eth1/mtu')).toBe(second.mtu)
  expect(await client.ssh(address, 'cat /sys/class/net/eth1/address')).toBe(
    await client.value('mac_address', 'port', 'show', 'mine'),
  )
  expect(await until(() => reaches('10.55.0.77'), { timeoutMs: 30_000 })).toBe('pong')
  expect(await client.value('status', 'port', 'show', 'mine')).toBe('ACTIVE')
  expect(await client.value('addresses', 'server', 'show', 'nics')).toContain('10.55.0.77')
  expect(await client.ssh(address, 'stat -c %Y /proc/1')).toBe(before)
  expect(await client.ssh(address, `ip route show ${beyond.range}`)).toContain(`via ${beyond.router} dev eth1`)
}, 180_000)

test('addresses of a port change inside the running guest', async () => {
  await client.run('port', 'set', '--fixed-ip', 'subnet=second,ip-address=10.55.0.88', 'mine')
  await says(eth1, /10\.55\.0\.77\/24.* 10\.55\.0\.88\/24/)
  await client.run('port', 'unset', '--fixed-ip', 'subnet=second,ip-address=10.55.0.77', 'mine')
  const left = await says(eth1, /^(?!.*10\.55\.0\.77).*10\.55\.0\.88/)
  expect(left).not.toContain('10.55.0.77')
  expect(await until(() => reaches('10.55.0.88'), { timeoutMs: 30_000 })).toBe('pong')
}, 120_000)

test('a network is added beside it, and reached by both of its families', async () => {
  await client.run('server', 'add', 'network', 'nics', 'third')
  await says(eth2, /UP.* 10\.59\.0\.\d+\/24 .*fd59::[0-9a-f:]+\/64/)
  for (const { gateway } of third)
    expect(await until(() => reaches('eth2', gateway), { timeoutMs: 30_000, what: gateway })).toBe('pong')
  await says(eth1, /UP.* 10\.55\.0\.88\/24/)
}, 120_000)

test('what the guest’s root does to its own device is left alone, and a reboot brings the NICs back', async () => {
  await client.ssh(address, 'ip address add 192.0.2.7/32 dev eth1; ip link set eth1 mtu 1300')
  await client.run('server', 'reboot', '--hard', '--wait', 'nics')
  await says(eth1, /UP.* 10\.55\.0\.88\/24/)
  await says(eth2, /UP.* 10\.59\.0\.\d+\/24/)
  expect(await client.ssh(address, 'cat /sys/class/net/eth1/mtu')).toBe(second.mtu)
  expect(await until(() => reaches('10.55.0.88'), { timeoutMs: 30_000 })).toBe('pong')
}, 120_000)

test('a port of the user’s leaves the guest and stays the user’s; the other NICs keep their names', async () => {
  const before = await client.ssh(address, 'cat /sys/class/net/eth2/address')
  await client.run('server', 'remove', 'port', 'nics', 'mine')
  await says(eth1, noDevice)
  expect(await client.ssh(address, 'cat /sys/class/net/eth2/address')).toBe(before)
  expect(await until(() => reaches('eth2', third[0].gateway), { timeoutMs: 30_000, what: 'an answer' })).toBe('pong')
  await until(async () => (await client.value('device_id', 'port', 'show', 'mine')) === '', { timeoutMs: 30_000 })
  expect(await client.run('port', 'show', '-f', 'value', '-c', 'fixed_ips', 'mine')).toContain('10.55.0.88')
}, 120_000)

test('a network is removed, and its port goes with it', async () => {
  await client.run('server', 'remove', 'network', 'nics', 'third')
  await says(eth2, noDevice)
  await until(async () => (await client.run('port', 'list', '--network', 'third', '-f', 'value')) === '')
}, 120_000)

test('an address of the user’s choice comes with an interface of its own', async () => {
  await client.run('server', 'add', 'fixed', 'ip', '--fixed-ip-address', '10.55.0.99', 'nics', 'second')
  await says(eth1, /10\.55\.0\.99\/24/)
  await client.run('server', 'remove', 'network', 'nics', 'second')
  await says(eth1, noDevice)
}, 120_000)

test('security groups are put on a server, and taken off', async () => {
  await client.run('security', 'group', 'create', 'more')
  await client.run('server', 'add', 'security', 'group', 'nics', 'more')
  expect(await client.value('security_groups', 'server', 'show', 'nics')).toContain("'more'")
  const refused = await client.try('security', 'group', 'delete', 'more')
  expect(refused.error).toContain('in use')
  await client.run('server', 'remove', 'security', 'group', 'nics', 'more')
  await client.run('security', 'group', 'delete', 'more')
}, 120_000)

const meta = 'exec 3<>/dev/tcp/169.254.169.254/80; printf "GET $0 HTTP/1.0\\r\\n\\r\\n" >&3; tail -n1 <&3'

/** What the metadata service tells the guest. */
async function told(path: string): Promise<string | null> {
  return await client.ssh(address, `bash -c '${meta}' ${path}`)
}

const leave =
  'text=sealed; exec 3<>/dev/tcp/169.254.169.254/80; ' +
  'printf "POST /openstack/latest/password HTTP/1.0\\r\\nContent-Length: 6\\r\\n\\r\\n$text" >&3; head -n1 <&3'

test('the guest leaves a password for its owner, once', async () => {
  const post = async (): Promise<string | null> => client.ssh(address, `bash -c '${leave}'`)
  expect(await post()).toMatch(/ 200 /)
  expect(await told('/openstack/latest/password')).toBe('sealed')
  expect(await post()).toMatch(/ 409 /)
})

test('the guest reads who it is from the metadata service, in both forms', async () => {
  const id = await client.value('id', 'server', 'show', 'nics')
  const text = await told('/openstack/latest/meta_data.json')
  expect(JSON.parse(text ?? '')).toMatchObject({
    uuid: id,
    name: 'nics',
    public_keys: { interfaces: expect.any(String) },
  })
  expect(JSON.parse((await told('/openstack/latest/network_data.json')) ?? '')).toMatchObject({
    networks: [{ ip_address: address, type: 'ipv4' }],
  })
  expect(await told('/latest/meta-data/local-ipv4')).toBe(address)
  expect(await told('/latest/meta-data/public-keys/0/openssh-key')).toBe(cloud.publicKey.trim())
}, 120_000)

test('a security group that is taken away stops what it let out, and lets it out again', async () => {
  const gateway = (await client.ssh(address, 'ip route show default')) ?? ''
  const [, to = ''] = /via (\S+)/.exec(gateway) ?? []
  const answers = async (): Promise<boolean> =>
    (await client.ssh(address, `ping -c1 -W1 ${to} >/dev/null && echo pong`)) === 'pong'
  expect(await answers()).toBe(true)
  await client.run('server', 'remove', 'security', 'group', 'nics', 'default')
  await until(async () => !(await answers()), { timeoutMs: 30_000, what: 'silence' })
  await client.run('server', 'add', 'security', 'group', 'nics', 'default')
  await until(answers, { timeoutMs: 30_000, what: 'an answer' })
}, 120_000)

test('an operator is told which rule lets a packet pass, and which group stops it; and the packet agrees', async () => {
  const limited = ['--property', 'quota:vif_outbound_average=2500', '--property', 'quota:vif_inbound_average=5000']
  await client.run('flavor', 'create', '--vcpus', '1', '--ram', '256', '--disk', '1', ...limited, 'limited')
  const boot = ['--image', 'debian-12-small', '--flavor', 'limited', '--network', 'private', '--wait', 'peer']
  const fields = await client.run('server', 'create', ...boot, '-f', 'json', '-c', 'addresses')
  peer = /\d+\.\d+\.\d+\.\d+/.exec(fields)?.[0] ?? ''
  const answers = async (): Promise<boolean> =>
    (await client.ssh(address, `ping -c1 -W1 ${peer} >/dev/null && echo pong`)) === 'pong'
  await until(answers, { timeoutMs: 30_000, what: 'an answer' })
  expect(await berth.run('port', 'trace', address, peer)).toMatch(/ingress +passes +rule .* of security group default/)
  expect(await berth.run('port', 'show', peer)).toMatch(/received +[1-9]\d* bytes/)
  await client.run('server', 'remove', 'security', 'group', 'peer', 'default')
  await until(async () => !(await answers()), { timeoutMs: 30_000, what: 'silence' })
  const stopped = await berth.try('port', 'trace', address, peer)
  expect(stopped).toMatchObject({ exitCode: 1, error: '' })
  expect(stopped.text).toMatch(/ingress +stops +port .*: it has no security group/)
  expect(stopped.text).toMatch(/switch +stops .* in its table ingress/)
}, 180_000)

const standing = z.object({ id: z.string(), device: z.string(), device_id: z.string() })

test('what the flavor limits is on the wires of the guest; a policy lowers it while it runs', async () => {
  const {
    id,
    device,
    device_id: serverId,
  } = standing.parse(JSON.parse(await berth.run('port', 'show', peer, '--json')))
  const path = join(cloud.site.layout.run, 'netns', serverId)
  const sending = async (): Promise<string> =>
    (await execa('nsenter', [`--net=${path}`, 'tc', 'qdisc', 'show', 'dev', 'eth0', 'root'])).stdout
  expect(await sending()).toMatch(/^qdisc tbf .* rate 20Mbit/)
  expect((await execa('tc', ['class', 'show', 'dev', device])).stdout).toMatch(/class htb .* ceil 40Mbit/)
  await client.run('network', 'qos', 'policy', 'create', 'slow')
  const rule = ['--type', 'bandwidth-limit', '--max-kbps', '10000', '--egress', 'slow']
  await client.run('network', 'qos', 'rule', 'create', ...rule)
  await client.run('port', 'set', '--qos-policy', 'slow', id)
  await until(async () => (await sending()).includes(' rate 10Mbit '), { timeoutMs: 30_000, what: 'the lower limit' })
}, 120_000)

test('a port whose device is gone says so', async () => {
  const { device } = standing.parse(JSON.parse(await berth.run('port', 'show', peer, '--json')))
  const said = await until(
    async () => {
      // The agent, which looks every half minute, may have made it anew meanwhile.
      await execa('ip', ['link', 'delete', device], { reject: false })
      const text = await berth.run('port', 'show', peer)
      return /^error +-$/m.test(text) ? null : text
    },
    { timeoutMs: 60_000, what: 'an error' },
  )
  expect(said).toMatch(/^error +(no device|could not open network device tap)/m)
  await client.run('server', 'delete', '--wait', 'peer')
}, 120_000)

test('a deleted server leaves the user’s port and nothing of its own', async () => {
  await client.run('server', 'add', 'port', 'nics', 'mine')
  await says(eth1, /10\.55\.0\.88\/24/)
  await client.run('server', 'delete', '--wait', 'nics')
  expect((await client.run('port', 'list', '-f', 'value', '-c', 'Name')).split('\n')).toEqual(['mine'])
  expect(await client.value('status', 'port', 'show', 'mine')).toBe('DOWN')
  const { stdout } = await execa('ip', ['-brief', 'link', 'show', 'type', 'veth'])
  expect(stdout.split('\n').filter((line) => line.startsWith('tap'))).toEqual([])
}, 120_000)
