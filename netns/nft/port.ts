/** The elements of one guest's port. */
import ipaddr from 'ipaddr.js'
import { hostDevice, type Vif } from '../../core/network.ts'
import { sendersOf, type Sender } from '../sender.ts'
import { profileName } from './group.ts'
import type { Element, Unit } from './rule-table.ts'
import type { sets } from './tables.ts'

/** Where a port is plugged, as rules name it. */
export interface PortPlace {
  /** the bridge that it is plugged into */
  readonly bridge: string
  readonly number: number
  /** under which address the metadata service sees it */
  readonly caller: string
}

function element(set: keyof typeof sets, key: string, value = ''): Element {
  return { set, key, value }
}

function isV6(address: string): boolean {
  return address.includes(':')
}

/** As nft writes it. */
function canonical(address: string): string {
  if (!address.includes('/')) return ipaddr.parse(address).toString()
  const [network, length] = ipaddr.parseCIDR(address)
  return `${network.toString()}/${length}`
}

function isWhole(prefix: string): boolean {
  return prefix.endsWith(isV6(prefix) ? '/128' : '/32')
}

/** An IPv6 address as the number that it is. */
function numberText(address: string): string {
  const bytes = ipaddr.parse(address).toByteArray()
  return `0x${Buffer.from(bytes).toString('hex').replace(/^0+/, '')}`
}

function contains(wide: string, narrow: string): boolean {
  if (isV6(wide) !== isV6(narrow)) return false
  const [, wideLength] = ipaddr.parseCIDR(wide)
  const [network, length] = ipaddr.parseCIDR(narrow)
  return wideLength <= length && network.match(ipaddr.parseCIDR(wide))
}

/** Prefixes in one set must not overlap: those inside another of the same MAC address go without saying. */
function widest(senders: readonly Sender[]): readonly Sender[] {
  return senders.filter(
    (one, index) =>
      !senders.some(
        (other, at) =>
          other !== one &&
          other.mac === one.mac &&
          contains(other.address, one.address) &&
          (other.address !== one.address || at < index),
      ),
  )
}

function singleElements(device: string, { mac, address }: Sender): readonly Element[] {
  const key = `${device} . ${mac} . ${canonical(address)}`
  if (isV6(address))
    return [element('senders6', key), element('targets', `${device} . ${mac} . ${numberText(address)}`)]
  return [element('senders4', key), element('arps', `${device} . ${mac} . ${mac} . ${canonical(address)}`)]
}

function rangeElements(device: string, { mac, address }: Sender): readonly Element[] {
  const range = canonical(address)
  if (isV6(address)) return [element('ranges6', `${device} . ${mac} . ${range}`)]
  return [
    element('ranges4', `${device} . ${mac} . ${range}`),
    element('arpRanges', `${device} . ${mac} . ${mac} . ${range}`),
  ]
}

function guardedElements(vif: Vif, { bridge, number }: PortPlace): readonly Element[] {
  const { security } = vif
  if (security === null) return []
  const device = hostDevice(vif.portId)
  const senders = sendersOf(vif, security)
  const ranges = widest(senders.filter(({ address }) => address.includes('/') && !isWhole(address)))
  const singles = senders
    .filter(({ address }) => !address.includes('/') || isWhole(address))
    .map(({ mac, address }) => ({ mac, address: address.split('/')[0] ?? address }))
  const macs = [...new Set(senders.map(({ mac }) => mac))]
  return [
    ...singles.flatMap((sender) => singleElements(device, sender)),
    ...ranges.flatMap((sender) => rangeElements(device, sender)),
    ...macs.flatMap((mac) => [
      element('macs', `${device} . ${mac}`),
      // Asking whether an address is taken names no sender. Source: RFC 5227, section 1.1
      element('arps', `${device} . ${mac} . ${mac} . 0.0.0.0`),
    ]),
    element('marks', device, String(number)),
    element('numbers', device, `0:${number.toString(16)}`),
    element('egress', String(number), `jump ${profileName('egress', security.groupIds)}`),
    element('ingress', `0:${number.toString(16)}`, `jump ${profileName('ingress', security.groupIds)}`),
    ...vif.addresses.flatMap(({ gateway }) =>
      gateway === null ? [] : [element(isV6(gateway) ? 'gateways6' : 'gateways4', `${bridge} . ${canonical(gateway)}`)],
    ),
  ]
}

/** There and back again, for the first IPv4 address of a port. */
function callerElements({ portId, mac, addresses }: Vif, caller: string): readonly Element[] {
  const device = hostDevice(portId)
  const address = addresses.map((one) => one.address).find((one) => !isV6(one))
  if (address === undefined) return []
  return [
    element('senders4', `${device} . ${mac} . ${address}`),
    element('callers', device, caller),
    element('called', caller, address),
    element('calledMacs', caller, mac),
  ]
}

export function portUnit(vif: Vif, place: PortPlace): Unit {
  const device = hostDevice(vif.portId)
  if (vif.isUp === false) return { elements: [element('ports', device, 'drop'), element('heard', device, 'drop')] }
  const isGuarded = vif.security !== null
  const elements = [
    element('ports', device, `goto ${isGuarded ? 'guarded' : 'free'}`),
    element('heard', device, `goto ${isGuarded ? 'hears' : 'hearsAll'}`),
    ...guardedElements(vif, place),
    ...callerElements(vif, place.caller),
  ]
  const unique = new Map(elements.map((one) => [`${one.set} ${one.key}`, one]))
  return { elements: [...unique.values()] }
}
