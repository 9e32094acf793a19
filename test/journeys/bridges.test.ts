/** A host whose guests are on Linux bridges: a server boots, is held to its groups, is told who it is, and keeps its wires. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { up } from '../../machine/up.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let client: Client
/** of the guest */
let address: string

beforeAll(async () => {
  cloud = await startCloud()
  await up({ ...cloud.site.config, vifType: 'bridge' }, { hello: false })
  client = new Client(cloud)
  const keyFile = join(cloud.site.layout.home, 'tmp', 'bridges.pub')
  await writeFile(keyFile, cloud.publicKey)
  await client.run('keypair', 'create', '--public-key', keyFile, 'bridges')
  await client.run('network', 'create', 'beside')
  await client.run('subnet', 'create', '--network', 'beside', '--subnet-range', '10.58.0.0/24', 'beside')
  const boot = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--key-name', 'bridges', '--network', 'private']
  const shown = await client.run('server', 'create', ...boot, '--wait', '-f', 'json', '-c', 'addresses', 'bridged')
  address = /\d+\.\d+\.\d+\.\d+/.exec(shown)?.[0] ?? ''
}, 600_000)
afterAll(async () => {
  await client.try('server', 'delete', '--wait', 'bridged')
  await client.try('network', 'delete', 'beside')
  await client.try('keypair', 'delete', 'bridges')
  expect(await cloud.audit()).toEqual([])
  // The other journeys have Open vSwitch again.
  await up(cloud.site.config, { hello: false })
  expect((await execa('ip', ['-o', 'link', 'show', 'type', 'bridge'])).stdout).not.toContain('-v')
}, 300_000)

async function said(command: string): Promise<string> {
  return await until(() => client.ssh(address, command), { timeoutMs: 60_000, what: command })
}

test('its device is a port of the bridge of its network, and it answers ssh', async () => {
  expect(await said('hostname')).toBe('bridged')
  const { stdout } = await execa('bridge', ['link', 'show'])
  expect(stdout).toMatch(
    new RegExp(`tap\\S+ .* master ${cloud.site.config.namePrefix.slice(0, 8)}-v\\d+ state forwarding`),
  )
}, 120_000)

const meta = 'exec 3<>/dev/tcp/169.254.169.254/80; printf "GET $0 HTTP/1.0\\r\\n\\r\\n" >&3; tail -n1 <&3'

test('the metadata service knows it, and a reboot keeps its address', async () => {
  expect(await said(`bash -c '${meta}' /latest/meta-data/local-ipv4`)).toBe(address)
  await client.run('server', 'reboot', '--wait', 'bridged')
  expect(await said('hostname; ip -brief address show eth0')).toMatch(
    new RegExp(`^bridged\\neth0\\S* +UP +${address.replaceAll('.', '\\.')}/`),
  )
}, 180_000)

test('a NIC comes to it and leaves it while it runs', async () => {
  const eth1 = 'ip -brief address show eth1 2>/dev/null || echo none'
  await client.run('server', 'add', 'network', 'bridged', 'beside')
  await until(async () => /UP.* 10\.58\.0\.\d+\/24/.test(await said(eth1)), { timeoutMs: 60_000, what: 'eth1' })
  expect(await said('ping -c1 -W5 -I eth1 10.58.0.1 >/dev/null && echo answered')).toBe('answered')
  await client.run('server', 'remove', 'network', 'bridged', 'beside')
  await until(async () => (await said(eth1)) === 'none', { timeoutMs: 60_000, what: 'no eth1' })
}, 180_000)

test('its groups let pass and deny, and an operator is told which rule it was', async () => {
  const berth = new Client(cloud, { command: 'berth' })
  const boot = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--network', 'private', '--wait', 'denied']
  const shown = await client.run('server', 'create', ...boot, '-f', 'json', '-c', 'addresses')
  const to = /\d+\.\d+\.\d+\.\d+/.exec(shown)?.[0] ?? ''
  const ping = `ping -c1 -W1 ${to} >/dev/null && echo answered || echo silent`
  await until(async () => (await said(ping)) === 'answered', { timeoutMs: 60_000, what: 'an answer' })
  expect(await berth.run('port', 'trace', address, to)).toMatch(/ingress +passes +rule .* of security group default/)
  await client.run('server', 'remove', 'security', 'group', 'denied', 'default')
  await until(async () => (await said(ping)) === 'silent', { timeoutMs: 60_000, what: 'silence' })
  const stopped = await berth.try('port', 'trace', address, to)
  expect(stopped).toMatchObject({ exitCode: 1, error: '' })
  expect(stopped.text).toMatch(/ingress +stops +port .*: it has no security group/)
  await client.run('server', 'delete', '--wait', 'denied')
}, 180_000)
