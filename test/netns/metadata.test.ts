/** Who asks the metadata service is known by the port, whatever the guest calls itself. */
import { createSocket } from 'node:dgram'
import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Vif } from '../../core/network.ts'
import { FlowSite, group, guest, openGroup, policy } from './flows/site.ts'
import { inNamespace, pings, until } from './host.ts'

let site: FlowSite
let server: Server
const open = openGroup()

async function serve(): Promise<Server> {
  const { http, dnsUdp, dnsTcp } = await site.wires.listenForMetadata('md-test')
  // Who asks is all that it says.
  const datagrams = createSocket('udp4').bind({ fd: dnsUdp })
  datagrams.on('message', (_question, { address, port }) =>
    datagrams.send(site.wires.callerAt(address) ?? 'a stranger', port, address),
  )
  const streams = createTcpServer((socket) =>
    socket.end(site.wires.callerAt(socket.remoteAddress ?? '') ?? 'a stranger'),
  )
  streams.listen({ fd: dnsTcp })
  const listening = createServer((request, response) => {
    response.end(site.wires.callerAt(request.socket.remoteAddress ?? '') ?? 'a stranger')
  })
  listening.on('close', () => {
    datagrams.close()
    streams.close()
  })
  await new Promise<void>((resolve) => listening.listen({ fd: http }, resolve))
  return listening
}

async function end(): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await site.wires.closeMetadata()
}

const askScript = `
import sys, urllib.request
print(urllib.request.urlopen('http://169.254.169.254/', timeout=3).read().decode())
`

const nameScript = `
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(3)
u.sendto(b'who am I', ('169.254.169.254', 53))
print(u.recv(512).decode())
t = socket.create_connection(('169.254.169.254', 53), timeout=3)
print(t.recv(512).decode())
`

/** What the service calls the guest; null when it does not answer. */
async function calledAs(path: string): Promise<string | null> {
  const { stdout, failed } = await execa('nsenter', [`--net=${path}`, '/usr/bin/python3', '-c', askScript], {
    reject: false,
    timeout: 20_000,
  })
  return failed ? null : stdout
}

async function plugOne(vif: Vif): Promise<string> {
  const [path = ''] = await site.plug(vif)
  return path
}

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  beforeAll(async () => {
    site = await FlowSite.start(vifType)
    server = await serve()
    await site.wires.enforce(policy([open]), [])
  })
  afterEach(() => site.clear())
  afterAll(async () => {
    await end()
    await site.stop()
  })

  test('two guests of one address, on networks of their own, are each known', async () => {
    const [one, two] = [guest(1, [open]), guest(1, [open], { vlan: 200 })]
    const paths = await site.plug(one, two)
    expect(await Promise.all(paths.map(calledAs))).toEqual([one.portId, two.portId])
  })

  test('who asks for a name, by UDP or TCP, is known as well', async () => {
    const [one, two] = [guest(1, [group()]), guest(1, [group()], { vlan: 200 })]
    const paths = await site.plug(one, two)
    const said = await Promise.all(paths.map((path) => inNamespace(path, '/usr/bin/python3', '-c', nameScript)))
    expect(said).toEqual([`${one.portId}\n${one.portId}`, `${two.portId}\n${two.portId}`])
  })

  test('a guest without a gateway and without a group that lets anything pass is answered', async () => {
    const vif = guest(1, [group()])
    const isolated = { ...vif, addresses: vif.addresses.map((one) => ({ ...one, gateway: null })) }
    expect(await calledAs(await plugOne(isolated))).toBe(isolated.portId)
  })

  test('a guest that takes the address of another is not answered in its name', async () => {
    const [one, two] = [guest(1, [open]), guest(2, [open])]
    const [, path = ''] = await site.plug(one, two)
    await inNamespace(path, 'ip', 'address', 'delete', '10.9.0.2/24', 'dev', 'eth0')
    await inNamespace(path, 'ip', 'address', 'add', '10.9.0.1/24', 'dev', 'eth0')
    await inNamespace(path, 'ip', 'route', 'replace', '169.254.169.254/32', 'dev', 'eth0', 'src', '10.9.0.1')
    expect(await calledAs(path)).toBeNull()
  })

  test('guests do not reach each other, nor anything of the host, through the service', async () => {
    const [one, two] = [guest(1, [open]), guest(2, [open], { vlan: 200 })]
    const [path = ''] = await site.plug(one, two)
    expect(await calledAs(path)).toBe(one.portId)
    expect(await pings(path, '169.254.169.254')).toBe(0)
    await inNamespace(path, 'ip', 'route', 'add', '10.0.0.0/16', 'via', '169.254.169.254', 'dev', 'eth0', 'onlink')
    expect(await pings(path, '10.0.0.101')).toBe(0)
  })

  test('the service is there again for guests that stand, after the process that served it is gone', async () => {
    const vif = guest(1, [open])
    const path = await plugOne(vif)
    expect(await calledAs(path)).toBe(vif.portId)
    await end()
    expect(await calledAs(path)).toBeNull()
    server = await serve()
    await site.wires.enforce(policy([open]), [vif])
    await until(async () => (await calledAs(path)) === vif.portId)
  })
})
