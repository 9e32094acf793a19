import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { Bridge, type PortSpec } from '../../netns/bridge.ts'
import { TestHost, until } from './host.ts'

let host: TestHost
let bridge: Bridge

const devices = Array.from({ length: 12 }, (_, index) => `port${index}`)

function portOn(device: string): PortSpec {
  return { device, vlan: 100, externalIds: {} }
}

async function configuration(): Promise<number> {
  return Number(await host.vsctl('get', 'Open_vSwitch', '.', 'next_cfg'))
}

beforeAll(async () => {
  host = await TestHost.start()
  bridge = new Bridge(host.socket, 'br-test', 'test')
  await bridge.ensure('netdev')
  for (const device of devices)
    await execa('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', `${device}-far`])
})

afterEach(async () => {
  await Promise.all((await bridge.ports()).map(({ device }) => bridge.remove(device)))
  expect(await bridge.ports()).toEqual([])
})

afterAll(async () => {
  bridge.close()
  await host.stop()
})

test('a bridge that is there is left as it is', async () => {
  await bridge.add(portOn('port0'))
  await bridge.ensure('netdev')
  expect((await bridge.ports()).map(({ device }) => device)).toEqual(['port0'])
  expect(await bridge.datapath()).toBe('netdev')
})

test('an added port has an OpenFlow port of its own', async () => {
  await Promise.all(devices.map((device) => bridge.add(portOn(device))))
  const numbers = (await bridge.ports()).map(({ ofport }) => ofport ?? -1)
  expect(Math.min(...numbers)).toBeGreaterThan(0)
  expect(new Set(numbers).size).toBe(devices.length)
})

test('changes that wait for each other are applied together', async () => {
  const before = await configuration()
  await Promise.all(devices.map((device) => bridge.add(portOn(device))))
  expect((await configuration()) - before).toBeLessThanOrEqual(3)
})

test('one bad change fails alone, with the words of the switch, and leaves no row', async () => {
  const results = await Promise.allSettled(['port0', 'missing', 'port1'].map((device) => bridge.add(portOn(device))))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  await expect(bridge.add(portOn('missing'))).rejects.toThrow('could not open network device missing')
  expect((await bridge.ports()).map(({ device }) => device).sort()).toEqual(['port0', 'port1'])
})

test('a port that is there is not added a second time, and does not spoil what is added beside it', async () => {
  await bridge.add(portOn('port0'))
  const results = await Promise.allSettled(['port1', 'port0', 'port2'].map((device) => bridge.add(portOn(device))))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await bridge.ports()).toHaveLength(3)
})

test('removing a port that is not there succeeds', async () => {
  await bridge.remove('port5')
  expect(await bridge.port('port5')).toBeNull()
})

test('a switch that does not answer is told as such, and the change holds when it does again', async () => {
  const hasty = new Bridge(host.socket, 'br-test', 'test', { applyTimeoutMs: 300 })
  host.freezeSwitch()
  try {
    await expect(hasty.add(portOn('port0'))).rejects.toThrow('ovs-vswitchd did not apply a change within 0.3 s')
  } finally {
    host.carryOnSwitch()
  }
  expect(await until(async () => ((await hasty.port('port0'))?.ofport ?? -1) > 0)).toBe(true)
  hasty.close()
})

test('a database that is not there is told with its socket', async () => {
  const nowhere = new Bridge(`${host.directory}/no.sock`, 'br-test', 'test')
  await expect(nowhere.ports()).rejects.toThrow(`does not answer at ${host.directory}/no.sock`)
})

test('the connection to the database is made anew when it was lost', async () => {
  await bridge.add(portOn('port0'))
  await host.stopDatabase()
  await expect(bridge.ports()).rejects.toThrow('Open vSwitch')
  await host.startDatabase()
  await bridge.add(portOn('port1'))
  expect(await bridge.ports()).toHaveLength(2)
})

test('an answer of many kilobytes, with text beyond ASCII, is read whole', async () => {
  const long = '{"ü€😀\\"'.repeat(4000)
  await bridge.add({ ...portOn('port0'), externalIds: { long } })
  expect((await bridge.port('port0'))?.externalIds.long).toBe(long)
})
