/** Which difference between rows, hosts and wires is told, and what would mend it. */
import { expect, test } from '@jest/globals'
import type { Sightings } from '../../core/sighting.ts'
import { compare, type Drift } from '../../ipam/compare.ts'
import type { HeldAddress } from '../../ipam/sight.ts'

const subnet = { id: 'subnet-1', cidr: '10.20.0.0/24', gateway: '10.20.0.1' }
const mac = 'fa:16:3e:00:00:07'
const row: HeldAddress = {
  address: '10.20.0.7',
  subnetId: 'subnet-1',
  state: 'used',
  reservedFor: null,
  portId: 'port-7',
  mac,
  vlan: 120,
  addressPairs: [],
  serverId: 'server-7',
  serverName: 'web-7',
  host: 'host-1',
  isSettled: true,
  stray: null,
}
const port: Sightings['ports'][number] = {
  port_id: 'port-7',
  device: 'tap7',
  mac,
  vlan: 120,
  error: null,
  guest: { mac, addresses: ['10.20.0.7/24', 'fe80::7/64'] },
}
const rewire = { kind: 'rewire', serverId: 'server-7', host: 'host-1' }
type Answer = Sightings['answers'][number]

function drifts(
  rows: readonly HeldAddress[],
  ports: readonly Sightings['ports'][number][],
  answers: readonly Answer[] = [],
): readonly Drift[] {
  return compare(rows, new Map([['host-1', { ports: [...ports], answers: [...answers], asked: 0 }]]), [subnet])
}

test('rows, guests and wire that agree are no drift', () => {
  const gateway = { address: '10.20.0.1', macs: ['0a:00:00:00:00:01'] }
  expect(drifts([row], [port], [{ address: '10.20.0.7', macs: [mac] }, gateway])).toEqual([])
  const reserved: HeldAddress = {
    ...row,
    address: '10.20.0.9',
    state: 'reserved',
    portId: null,
    serverId: null,
    host: null,
  }
  expect(drifts([row, reserved], [port], [{ address: '10.20.0.9', macs: ['52:54:00:00:00:01'] }])).toEqual([])
  expect(drifts([{ ...row, isSettled: false }], [])).toEqual([])
})

test('a port that is missing, or stands otherwise, is wired anew', () => {
  expect(drifts([row], [])).toMatchObject([{ kind: 'unplugged', address: '10.20.0.7', mend: rewire }])
  expect(drifts([row], [{ ...port, error: 'no device' }])).toMatchObject([{ kind: 'unplugged', mend: rewire }])
  expect(drifts([row], [{ ...port, vlan: 9 }])).toMatchObject([{ kind: 'wrong-port', mend: rewire }])
  expect(drifts([row], [{ ...port, guest: { mac, addresses: [] } }])).toMatchObject([
    { kind: 'missing-address', mend: rewire },
  ])
})

test('an address of the pool that a guest gave itself is told, unless an address pair lets it', () => {
  const greedy = { ...port, guest: { mac, addresses: ['10.20.0.7/24', '10.20.0.200/24'] } }
  expect(drifts([row], [greedy])).toMatchObject([{ kind: 'foreign-address', address: '10.20.0.200', mend: null }])
  const paired = { ...row, addressPairs: [{ address: '10.20.0.200', mac: null }] }
  expect(drifts([paired], [greedy])).toEqual([])
})

test('who answers for a free address makes it a reservation; who answers for a used one is told', () => {
  const stranger = '52:54:00:00:00:01'
  expect(drifts([row], [port], [{ address: '10.20.0.50', macs: [stranger] }])).toMatchObject([
    { kind: 'stranger', mend: { kind: 'reserve', address: '10.20.0.50', note: `answered by ${stranger}` } },
  ])
  expect(drifts([row], [port], [{ address: '10.20.0.7', macs: [mac, stranger] }])).toMatchObject([
    { kind: 'duplicate', text: expect.stringContaining(stranger), mend: null },
  ])
})

test('an address that a port holds which cannot use it is given back, and a host that does not answer is named', () => {
  expect(drifts([{ ...row, stray: 'its server is deleted' }], [])).toMatchObject([
    { kind: 'stray', mend: { kind: 'release', portId: 'port-7', subnetId: 'subnet-1', address: '10.20.0.7' } },
  ])
  expect(compare([row], new Map([['host-1', null]]), [subnet])).toMatchObject([{ kind: 'silent-host', host: 'host-1' }])
})
