import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { openWires, type Gateway, type Wires } from '../../netns/index.ts'
import { isOnHost, vifOf } from '../contracts/vif.ts'
import { pings, TestHost, until } from './host.ts'

let host: TestHost
let wires: Wires

const gateway: Gateway = {
  device: 'gw-test',
  vlan: 100,
  mtu: 1400,
  addresses: [{ address: '10.9.0.254', prefixLength: 24 }],
}

async function show(device: string): Promise<string> {
  return (await execa('ip', ['addr', 'show', device])).stdout
}

async function loseSwitch(vifType: string): Promise<void> {
  if (vifType === 'bridge') {
    await execa('ip', ['link', 'delete', 'test-v100'])
    return
  }
  await host.killSwitch()
  await host.startSwitch()
}

async function macOf(device: string): Promise<string | undefined> {
  return /link\/ether (\S+)/.exec(await show(device))?.[1]
}

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  beforeAll(async () => {
    host = await TestHost.start({ hasSwitch: vifType === 'ovs' })
    const namespaces = { directory: host.namespaces, guestRootUid: 0 }
    wires = await openWires({
      ovsSocket: host.socket,
      bridge: 'br-test',
      datapath: 'netdev',
      owner: 'test',
      vifType,
      namespaces,
    })
  })

  afterEach(async () => {
    for (const { portId } of await wires.list()) await wires.unplug(portId)
    for (const serverId of wires.listNamespaces()) await wires.removeNamespace(serverId)
    for (const device of await wires.listGateways()) await wires.removeGateway(device)
  })

  afterAll(async () => {
    wires.close()
    await host.stop()
  })

  test('the host reaches the guests of a network through its gateway, and no others', async () => {
    await wires.ensureGateway(gateway)
    for (const vif of [vifOf(1), vifOf(2, { vlan: 200 })])
      await wires.plug(vif, await wires.ensureNamespace(vif.serverId))
    expect(await Promise.all([pings(null, '10.9.0.1'), pings(null, '10.9.0.2')])).toEqual([3, 0])
  })

  test('ensuring a gateway twice, also at the same time, is as ensuring it once', async () => {
    await Promise.all([wires.ensureGateway(gateway), wires.ensureGateway(gateway)])
    const before = await show('gw-test')
    await wires.ensureGateway(gateway)
    expect(await show('gw-test')).toBe(before)
    expect(before).toContain('mtu 1400')
    if (vifType === 'ovs') expect((await execa('ethtool', ['-k', 'gw-test'])).stdout).toContain('tx-checksumming: off')
  })

  test('a gateway has the addresses that it is to have, and no longer those of before', async () => {
    await wires.ensureGateway(gateway)
    const addresses = [
      { address: '10.9.7.254', prefixLength: 22 },
      { address: 'fd00:9::fe', prefixLength: 64 },
    ]
    await wires.ensureGateway({ ...gateway, addresses })
    const shown = await show('gw-test')
    expect(shown).toContain('10.9.7.254/22')
    expect(shown).toContain('fd00:9::fe/64')
    expect(shown).not.toContain('10.9.0.254')
  })

  test('two networks of the same addresses stand side by side, each reached from its own place', async () => {
    const other = { ...gateway, device: 'gw-other', vlan: 200 }
    await wires.ensureGateway(gateway)
    await wires.ensureGateway(other, { isApart: true })
    await wires.ensureGateway(other, { isApart: true })
    const [here, there] = [vifOf(1), vifOf(1, { vlan: 200 })]
    for (const vif of [here, there]) await wires.plug(vif, await wires.ensureNamespace(vif.serverId))
    const apart = join(host.directory, 'gateways', 'gw-other')
    expect(await Promise.all([pings(null, '10.9.0.1'), pings(apart, '10.9.0.1')])).toEqual([3, 3])
    await wires.unplug(here.portId)
    expect(await Promise.all([pings(null, '10.9.0.1'), pings(apart, '10.9.0.1')])).toEqual([0, 3])
    expect([...(await wires.listGateways())].toSorted()).toEqual(['gw-other', 'gw-test'])
  })

  test('a gateway changes its place when its subnet is alone, or no longer is, and takes its namespace along', async () => {
    const apart = join(host.directory, 'gateways', 'gw-test')
    const vif = vifOf(1)
    await wires.plug(vif, await wires.ensureNamespace(vif.serverId))
    await wires.ensureGateway(gateway, { isApart: true })
    expect(await pings(apart, '10.9.0.1')).toBe(3)
    expect((await execa('ip', ['addr', 'show'])).stdout).not.toContain('10.9.0.254')
    await wires.ensureGateway(gateway)
    expect(await pings(null, '10.9.0.1')).toBe(3)
    expect(existsSync(apart)).toBe(false)
    await wires.ensureGateway(gateway, { isApart: true })
    await loseSwitch(vifType)
    await wires.plug(vif, await wires.ensureNamespace(vif.serverId))
    await wires.ensureGateway(gateway, { isApart: true })
    await until(async () => (await pings(apart, '10.9.0.1')) === 3)
    await wires.removeGateway('gw-test')
    expect([existsSync(apart), await isOnHost('gw-test')]).toEqual([false, false])
  })

  test('an address that another device of the host holds is refused, and nothing is made', async () => {
    await execa('ip', ['link', 'add', 'uplink', 'type', 'bridge'])
    try {
      await execa('ip', ['addr', 'add', '10.9.0.254/16', 'dev', 'uplink'])
      await expect(wires.ensureGateway(gateway)).rejects.toThrow('10.9.0.254/16 is on another device')
      expect(await isOnHost('gw-test')).toBe(false)
    } finally {
      await execa('ip', ['link', 'delete', 'uplink'])
    }
  })

  test('after the switch was lost the gateway comes back with the same MAC', async () => {
    await wires.ensureGateway(gateway)
    const mac = await macOf('gw-test')
    const vif = vifOf(1)
    await wires.plug(vif, await wires.ensureNamespace(vif.serverId))
    await loseSwitch(vifType)
    await wires.plug(vif, await wires.ensureNamespace(vif.serverId))
    await wires.ensureGateway(gateway)
    expect(await macOf('gw-test')).toBe(mac)
    // The switch may lose a packet while it settles.
    await until(async () => (await pings(null, '10.9.0.1')) === 3)
  })

  test('a removed gateway is gone, and removing it again succeeds', async () => {
    await wires.ensureGateway(gateway)
    expect(await wires.listGateways()).toEqual(['gw-test'])
    await wires.removeGateway('gw-test')
    await wires.removeGateway('gw-test')
    expect(await wires.listGateways()).toEqual([])
    expect(await isOnHost('gw-test')).toBe(false)
  })
})
