/** Which packets a flow is for, as OpenFlow writes it. Source: OpenFlow Switch Specification 1.4, 7.2.2 and 7.2.3 */
import { Invalid } from '../../core/errors.ts'
import { fieldNamed, fields, numberBytes, oxm, valueOf, type Field } from './fields.ts'

interface Protocol {
  readonly ethType: number
  readonly number?: number
  /** fields that tp_src, tp_dst, icmp_type and icmp_code stand for */
  readonly ends?: readonly [Field, Field]
}

const [ip, ipv6] = [0x0800, 0x86dd]
const tcp = [fields.tcpSrc, fields.tcpDst] as const
const udp = [fields.udpSrc, fields.udpDst] as const
const sctp = [fields.sctpSrc, fields.sctpDst] as const

const protocols: Readonly<Record<string, Protocol>> = {
  arp: { ethType: 0x0806 },
  ip: { ethType: ip },
  ipv6: { ethType: ipv6 },
  icmp: { ethType: ip, number: 1, ends: [fields.icmpType, fields.icmpCode] },
  icmp6: { ethType: ipv6, number: 58, ends: [fields.icmp6Type, fields.icmp6Code] },
  tcp: { ethType: ip, number: 6, ends: tcp },
  tcp6: { ethType: ipv6, number: 6, ends: tcp },
  udp: { ethType: ip, number: 17, ends: udp },
  udp6: { ethType: ipv6, number: 17, ends: udp },
  sctp: { ethType: ip, number: 132, ends: sctp },
  sctp6: { ethType: ipv6, number: 132, ends: sctp },
}

const plain: Readonly<Record<string, Field>> = {
  in_port: fields.inPort,
  dl_src: fields.ethSrc,
  dl_dst: fields.ethDst,
  // Not Nicira's field of the whole tag, which is another flow to the switch than the one that ovs-ofctl writes, and takes away.
  vlan_tci: fields.vlanId,
  nw_src: fields.ipv4Src,
  nw_dst: fields.ipv4Dst,
  nw_proto: fields.ipProtocol,
  arp_op: fields.arpOp,
  arp_spa: fields.arpSpa,
  arp_tpa: fields.arpTpa,
  arp_sha: fields.arpSha,
  ipv6_src: fields.ipv6Src,
  ipv6_dst: fields.ipv6Dst,
  nd_target: fields.ndTarget,
  ct_mark: fields.ctMark,
}

/** linux/openvswitch.h, OVS_CS_F_* */
const states: Readonly<Record<string, number>> = { new: 1, est: 2, rel: 4, rpl: 8, inv: 16, trk: 32 }
const taggedBit = 0x1000

function stateValue(text: string): Buffer {
  let [value, mask] = [0, 0]
  for (const [, sign, name = ''] of text.matchAll(/([+-])(\w+)/g)) {
    const bit = states[name]
    if (bit === undefined) throw new Invalid(`no state ${name} of connections is known to the switch`)
    mask |= bit
    if (sign === '+') value |= bit
  }
  return oxm(fields.ctState, { value: numberBytes(`${value}`, 4), mask: numberBytes(`${mask}`, 4) })
}

function fieldOf(name: string, protocol: Protocol | undefined): Field {
  const end = ['tp_src', 'icmp_type'].includes(name) ? 0 : ['tp_dst', 'icmp_code'].includes(name) ? 1 : null
  const wide = /^xreg(\d+)$/.exec(name)?.[1]
  const narrow = /^reg(\d+)$/.exec(name)?.[1]
  if (wide !== undefined) return fieldNamed(`OXM_OF_PKT_REG${wide}`)
  if (narrow !== undefined) return fieldNamed(`NXM_NX_REG${narrow}`)
  const found = end === null ? plain[name] : protocol?.ends?.[end]
  if (!found) throw new Invalid(`no flow of ours matches on ${name}`)
  return found
}

function entryOf(name: string, text: string, protocol: Protocol | undefined): Buffer {
  if (name === 'ct_state') return stateValue(text)
  if (name === 'dl_vlan')
    return oxm(fields.vlanId, { value: numberBytes(`${taggedBit | Number(text)}`, 2), mask: null })
  const field = fieldOf(name, protocol)
  return oxm(field, valueOf(text, field))
}

/** Which frames a flow is for. */
export interface Match {
  readonly table: number
  readonly priority: number
  /** struct ofp_match, padded */
  readonly bytes: Buffer
}

function framed(entries: readonly Buffer[]): Buffer {
  const body = Buffer.concat(entries)
  const length = 4 + body.length
  const head = Buffer.alloc(4)
  head.writeUInt16BE(1, 0)
  head.writeUInt16BE(length, 2)
  return Buffer.concat([head, body, Buffer.alloc((8 - (length % 8)) % 8)])
}

/** @param text such as 'table=0,priority=100,ip,in_port=4' */
export function matchOf(text: string): Match {
  const words = text.split(',').map((word): readonly [string, string | null] => {
    const at = word.indexOf('=')
    return at < 0 ? [word, null] : [word.slice(0, at), word.slice(at + 1)]
  })
  const bare = words.find(([, value]) => value === null)?.[0]
  const protocol = bare === undefined ? undefined : protocols[bare]
  if (bare !== undefined && !protocol) throw new Invalid(`no protocol ${bare} is known to the switch`)
  const numberOf = (name: string): number => Number(words.find(([word]) => word === name)?.[1] ?? 0)
  const rest = words.filter(([name, value]) => value !== null && name !== 'table' && name !== 'priority')
  const entries = [
    // What a field depends on comes before it.
    ...(protocol ? [oxm(fields.ethType, valueOf(`${protocol.ethType}`, fields.ethType))] : []),
    ...(protocol?.number === undefined
      ? []
      : [oxm(fields.ipProtocol, valueOf(`${protocol.number}`, fields.ipProtocol))]),
    ...rest
      .toSorted(([one], [other]) => Number(depends(one)) - Number(depends(other)))
      .map(([name, value]) => entryOf(name, value ?? '', protocol)),
  ]
  return { table: numberOf('table'), priority: numberOf('priority'), bytes: framed(entries) }
}

/** Whether another field must have been named before it. */
function depends(name: string): boolean {
  return name === 'nd_target'
}
