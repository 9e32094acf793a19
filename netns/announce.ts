/** Tells the neighbours of a guest who has its addresses now: theirs may be the MAC of a guest that is gone. */
import ipaddr from 'ipaddr.js'
import koffi from 'koffi'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'
import type { Vif } from '../core/network.ts'
import { withNamespace } from './namespace.ts'

const afPacket = 17
const sockRaw = 3
const etherTypeArp = 0x0806
const etherTypeIpv6 = 0x86dd
const sockaddrBytes = 20

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const close = libc.func('int close(int fd)')
const sendto = libc.func(
  'long sendto(int fd, const uint8_t *frame, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
)

function ethernet(to: string, from: Buffer, type: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(to, 'hex'), from, Buffer.from([type >> 8, type & 255]), payload])
}

/** A request for one's own address. Source: RFC 5227, section 3 */
function gratuitousArp(mac: Buffer, address: Buffer): Buffer {
  const head = Buffer.from('0001080006040001', 'hex')
  return ethernet('ffffffffffff', mac, etherTypeArp, Buffer.concat([head, mac, address, Buffer.alloc(6), address]))
}

/** Source: RFC 1071 */
function internetChecksum(bytes: Buffer): number {
  let sum = 0
  for (let offset = 0; offset < bytes.length; offset += 2) sum += bytes.readUInt16BE(offset)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** An answer that nobody asked for, with the override flag. Source: RFC 4861, sections 4.4 and 7.2.6 */
function unsolicitedAdvertisement(mac: Buffer, address: Buffer): Buffer {
  const allNodes = Buffer.from(ipaddr.parse('ff02::1').toByteArray())
  const message = Buffer.concat([Buffer.from('8800000020000000', 'hex'), address, Buffer.from([2, 1]), mac])
  const pseudoHeader = Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58])
  message.writeUInt16BE(internetChecksum(Buffer.concat([address, allNodes, pseudoHeader, message])), 2)
  const head = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255])
  return ethernet('333300000001', mac, etherTypeIpv6, Buffer.concat([head, address, allNodes, message]))
}

/** struct sockaddr_ll; source: packet(7) */
function linkAddress(index: number): Buffer {
  const address = Buffer.alloc(sockaddrBytes)
  address.writeUInt16LE(afPacket, 0)
  address.writeInt32LE(index, 4)
  return address
}

/**
 * Sends one announcement per address out of the guest's device. Frames must pass already.
 *
 * @param index of the device in the guest's namespace
 */
export function announce(vif: Vif, index: number, netnsPath: string): void {
  const mac = Buffer.from(vif.mac.replaceAll(':', ''), 'hex')
  // Protocol 0: the socket sends and never receives.
  const descriptor = z.int().parse(withNamespace<unknown>(netnsPath, () => socket(afPacket, sockRaw, 0)))
  if (descriptor < 0) throw new Unavailable(`${vif.device}: no packet socket, errno ${koffi.errno()}`)
  try {
    for (const { address } of vif.addresses) {
      const bytes = Buffer.from(ipaddr.parse(address).toByteArray())
      const frame = bytes.length === 4 ? gratuitousArp(mac, bytes) : unsolicitedAdvertisement(mac, bytes)
      if (Number(sendto(descriptor, frame, frame.length, 0, linkAddress(index), sockaddrBytes)) < 0)
        throw new Unavailable(`${vif.device}: ${address} was not announced, errno ${koffi.errno()}`)
    }
  } finally {
    // The kernel waits about ten milliseconds for all who may still send by it: nobody here does.
    close.async(descriptor, () => undefined)
  }
}
