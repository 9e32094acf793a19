/** Fields of packets and of the pipeline, by the names that ovs-ofctl has for them. Source: ovs-fields(7), OpenFlow Switch Specification 1.4 */
import ipaddr from 'ipaddr.js'
import { Invalid } from '../../core/errors.ts'

/** Where a field stands in the protocol: a class, a number in it, and its length. */
export interface Field {
  readonly oxmClass: number
  readonly number: number
  readonly bytes: number
}

const basic = (number: number, bytes: number): Field => ({ oxmClass: 0x8000, number, bytes })
/** Nicira's own: classes 0 and 1. */
const nxm = (number: number, bytes: number): Field => ({ oxmClass: 1, number, bytes })

/** By the words of actions. */
const registers = /^NXM_NX_REG(\d+)$/
const wideRegisters = /^OXM_OF_PKT_REG(\d+)$/
const named: Readonly<Record<string, Field>> = {
  NXM_OF_VLAN_TCI: { oxmClass: 0, number: 4, bytes: 2 },
  NXM_OF_ETH_DST: { oxmClass: 0, number: 1, bytes: 6 },
  NXM_OF_ETH_SRC: { oxmClass: 0, number: 2, bytes: 6 },
  NXM_OF_ARP_OP: { oxmClass: 0, number: 15, bytes: 2 },
  NXM_OF_ARP_SPA: { oxmClass: 0, number: 16, bytes: 4 },
  NXM_OF_ARP_TPA: { oxmClass: 0, number: 17, bytes: 4 },
  NXM_NX_ARP_SHA: nxm(17, 6),
  NXM_NX_ARP_THA: nxm(18, 6),
  NXM_NX_CT_MARK: nxm(107, 4),
}

/** @throws CloudError for a word that no flow of ours has */
export function fieldNamed(name: string): Field {
  const narrow = registers.exec(name)?.[1]
  if (narrow !== undefined) return nxm(Number(narrow), 4)
  const wide = wideRegisters.exec(name)?.[1]
  if (wide !== undefined) return { oxmClass: 0x8001, number: Number(wide), bytes: 8 }
  const found = named[name]
  if (!found) throw new Invalid(`no field ${name} is known to the switch`)
  return found
}

export const fields = {
  inPort: basic(0, 4),
  ethDst: basic(3, 6),
  ethSrc: basic(4, 6),
  ethType: basic(5, 2),
  vlanId: basic(6, 2),
  ipProtocol: basic(10, 1),
  ipv4Src: basic(11, 4),
  ipv4Dst: basic(12, 4),
  tcpSrc: basic(13, 2),
  tcpDst: basic(14, 2),
  udpSrc: basic(15, 2),
  udpDst: basic(16, 2),
  sctpSrc: basic(17, 2),
  sctpDst: basic(18, 2),
  icmpType: basic(19, 1),
  icmpCode: basic(20, 1),
  arpOp: basic(21, 2),
  arpSpa: basic(22, 4),
  arpTpa: basic(23, 4),
  arpSha: basic(24, 6),
  ipv6Src: basic(26, 16),
  ipv6Dst: basic(27, 16),
  icmp6Type: basic(29, 1),
  icmp6Code: basic(30, 1),
  ndTarget: basic(31, 16),
  ctState: nxm(105, 4),
  ctMark: nxm(107, 4),
} as const satisfies Readonly<Record<string, Field>>

/** The four bytes that name a field. */
export function header({ oxmClass, number, bytes }: Field, isMasked = false): number {
  return ((oxmClass << 16) | (number << 9) | (isMasked ? 0x100 : 0) | (isMasked ? bytes * 2 : bytes)) >>> 0
}

/** A number as so many bytes; decimal, or hexadecimal behind 0x. */
export function numberBytes(text: string, bytes: number): Buffer {
  const digits = BigInt(text).toString(16)
  if (digits.length > bytes * 2) throw new Invalid(`${text} has no place in ${bytes} bytes of a flow`)
  return Buffer.from(digits.padStart(bytes * 2, '0'), 'hex')
}

function prefixMask(length: number, bytes: number): Buffer {
  return Buffer.from(
    Array.from({ length: bytes }, (_none, at) => (0xff00 >> Math.max(0, Math.min(8, length - at * 8))) & 0xff),
  )
}

interface Value {
  readonly value: Buffer
  readonly mask: Buffer | null
}

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

function isMac(text: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)
}

/** What a flow says of a field: a number, a MAC address or an address, with a mask or a prefix length or without. */
export function valueOf(text: string, { bytes }: Field): Value {
  const [first = '', second] = text.split('/')
  if (isMac(first)) return { value: macBytes(first), mask: second === undefined ? null : macBytes(second) }
  if (first.includes(':') || first.split('.').length === 4) return addressValue(first, second, bytes)
  return { value: numberBytes(first, bytes), mask: second === undefined ? null : numberBytes(second, bytes) }
}

function addressValue(first: string, second: string | undefined, bytes: number): Value {
  const value = Buffer.from(ipaddr.parse(first).toByteArray())
  if (second === undefined || Number(second) === bytes * 8) return { value, mask: null }
  const mask = prefixMask(Number(second), bytes)
  // Bits behind the prefix are refused by the switch.
  return { value: Buffer.from(value.map((byte, at) => byte & (mask[at] ?? 0))), mask }
}

export function oxm(field: Field, { value, mask }: Value): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(header(field, mask !== null))
  return Buffer.concat([head, value, mask ?? Buffer.alloc(0)])
}
