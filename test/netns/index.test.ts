import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { hostDevice, type Vif } from '../../core/network.ts'
import { openWires, type Wires } from '../../netns/index.ts'
import { isOnHost, vifOf } from '../contracts/vif.ts'
import { pings, TestHost } from './host.ts'

let host: TestHost
let wires: Wires

async function open(owner: string): Promise<Wires> {
  return await openWires({
    ovsSocket: host.socket,
    bridge: 'br-test',
    datapath: 'netdev',
    owner,
    namespaces: { directory: host.namespaces, guestRootUid: 0 },
  })
}

async function plug(vif: Vif): Promise<string> {
  const namespace = await wires.ensureNamespace(vif.serverId)
  await wires.plug(vif, namespace)
  return namespace.netnsPath
}

beforeAll(async () => {
  host = await TestHost.start()
  wires = await open('test')
})

afterEach(async () => {
  for (const { portId } of await wires.list()) await wires.unplug(portId)
  for (const serverId of wires.listNamespaces()) await wires.removeNamespace(serverId)
  expect(await wires.list()).toEqual([])
})

afterAll(async () => {
  wires.close()
  await host.stop()
})

test('a plugged port is listed with its server, device, tag and MAC', async () => {
  const vif = vifOf(1)
  await plug(vif)
  const { portId, serverId, mac, vlan } = vif
  expect(await wires.list()).toEqual([{ portId, serverId, device: hostDevice(portId), vlan, mac, error: null }])
})

test('plugging the same vif twice at the same time is as plugging it once', async () => {
  const [one, two] = [vifOf(1), vifOf(2)]
  const [path] = await Promise.all([plug(one), plug(two)])
  const namespace = await wires.ensureNamespace(one.serverId)
  await Promise.all([wires.plug(one, namespace), wires.unplug(one.portId), wires.plug(one, namespace)])
  expect(await wires.isPlugged(one, namespace)).toBe(true)
  expect(await pings(path, '10.9.0.2')).toBe(3)
})

test('a port that lost its device is listed with the reason', async () => {
  const vif = vifOf(1)
  await plug(vif)
  await wires.removeNamespace(vif.serverId)
  await execa('ip', ['link', 'delete', hostDevice(vif.portId)], { reject: false })
  expect(await wires.list()).toMatchObject([{ portId: vif.portId, error: 'no device' }])
})

test('a device that is in no switch is listed, so that it can be unplugged', async () => {
  const vif = vifOf(1)
  await plug(vif)
  await host.vsctl('del-port', hostDevice(vif.portId))
  expect(await wires.list()).toMatchObject([{ portId: vif.portId, serverId: null, error: 'not in the switch' }])
  await wires.unplug(vif.portId)
  expect(await isOnHost(hostDevice(vif.portId))).toBe(false)
})

test('devices and ports of another cloud on the same host are not listed', async () => {
  const other = await open('other')
  try {
    const vif = vifOf(1)
    await plug(vif)
    const foreign = hostDevice(randomUUID())
    await execa('ip', ['link', 'add', foreign, 'type', 'bridge'])
    expect(await other.list()).toEqual([])
    expect(await wires.list()).toHaveLength(1)
    await execa('ip', ['link', 'delete', foreign])
  } finally {
    other.close()
  }
})

test('opening the wires again leaves bridge and ports as they are', async () => {
  const vif = vifOf(1)
  const path = await plug(vif)
  await plug(vifOf(2))
  const again = await open('test')
  try {
    expect(await again.isPlugged(vif, await again.ensureNamespace(vif.serverId))).toBe(true)
    expect(await pings(path, '10.9.0.2')).toBe(3)
  } finally {
    again.close()
  }
})
