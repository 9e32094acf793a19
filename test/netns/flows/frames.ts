/** Frames that a guest may not send, and their honest twins. */
import ipaddr from 'ipaddr.js'

interface Who {
  readonly mac: string
  readonly v4: string
  readonly v6: string
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/[: ]/g, ''), 'hex')
}

function bytes(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray())
}

/** What a frame is told by at the other end: it stands behind all that the headers count. */
export function mark(number: number): Buffer {
  return hex(`b0b1b2b3${number.toString(16).padStart(4, '0')}`)
}

function ethernet(to: string, from: string, type: string, payload: Buffer): Buffer {
  return Buffer.concat([hex(to), hex(from), hex(type), payload])
}

export function arpReply(to: Who, mac: string, { sha, spa }: { readonly sha: string; readonly spa: string }): Buffer {
  const body = Buffer.concat([hex('0001 0800 0604 0002'), hex(sha), bytes(spa), hex(to.mac), bytes(to.v4)])
  return ethernet(to.mac, mac, '0806', body)
}

function ipv4(from: string, to: string, protocol: number, payload: Buffer): Buffer {
  const head = Buffer.concat([hex('4500 0000 0000 0000 40 00 0000'), bytes(from), bytes(to)])
  head.writeUInt8(protocol, 9)
  head.writeUInt16BE(20 + payload.length, 2)
  let sum = 0
  for (let at = 0; at < 20; at += 2) sum += head.readUInt16BE(at)
  head.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10)
  return Buffer.concat([head, payload])
}

function udp(source: number, target: number): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(source, 0)
  head.writeUInt16BE(target, 2)
  head.writeUInt16BE(12, 4)
  return head
}

export function udp4(
  to: Who,
  mac: string,
  { from, source }: { readonly from: string; readonly source: number },
): Buffer {
  return ethernet(to.mac, mac, '0800', ipv4(from, to.v4, 17, udp(source, source === 67 ? 68 : 9)))
}

function ipv6(from: string, to: string, next: number, payload: Buffer): Buffer {
  const head = hex('6000 0000 0000 0000')
  head.writeUInt16BE(payload.length, 4)
  head.writeUInt8(next, 6)
  head.writeUInt8(255, 7)
  return Buffer.concat([head, bytes(from), bytes(to), payload])
}

/** What a DHCPv6 server would send to a client. Source: RFC 8415, section 7.2 */
export function dhcp6Answer(to: Who, mac: string, from: string): Buffer {
  return ethernet(to.mac, mac, '86dd', ipv6(from, to.v6, 17, udp(547, 546)))
}

/** An ICMPv6 message of this type, about this address. */
export function icmp6(
  to: Who,
  mac: string,
  { from, type, target }: { readonly from: string; readonly type: number; readonly target: string },
): Buffer {
  const body = Buffer.concat([
    Buffer.from([type, 0]),
    hex('0000 2000 0000'),
    bytes(target),
    Buffer.from([2, 1]),
    hex(mac),
  ])
  return ethernet(to.mac, mac, '86dd', ipv6(from, to.v6, 58, body))
}

export function tagged(frame: Buffer, vlan: number): Buffer {
  const tag = hex('8100 0000')
  tag.writeUInt16BE(vlan, 2)
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)])
}
