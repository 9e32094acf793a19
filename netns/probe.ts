/** Asks a wire who has addresses, as a newcomer does before it takes one. Source: RFC 5227, section 2.1.1 */
import { setTimeout as sleep } from 'node:timers/promises'
import ipaddr from 'ipaddr.js'
import koffi from 'koffi'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'
import { withNamespace } from './namespace.ts'

const afPacket = 17
const sockRaw = 3
const sockNonblock = 0o4000
const sockCloexec = 0o2000000
const etherTypeArp = 0x0806
const sockaddrBytes = 20
const frameBytes = 42
const broadcast = 'ffffffffffff'

const rounds = 3
/** Questions that are put at once, before answers are looked at: what a switch takes without loss. */
const atOnce = 128
const pauseMs = 10
/** How long the slowest neighbour may take after the last question of a round. */
const patienceMs = 150

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)')
const close = libc.func('int close(int fd)')
const recv = libc.func('long recv(int fd, _Out_ uint8_t *buffer, size_t length, int flags)')
const sendto = libc.func(
  'long sendto(int fd, const uint8_t *frame, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
)

/** The MAC addresses that answered for each address; an address that nobody answered for is not in it. */
export type Answers = ReadonlyMap<string, ReadonlySet<string>>

function swapped(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8)
}

/** struct sockaddr_ll; source: packet(7) */
function linkAddress(index: number): Buffer {
  const address = Buffer.alloc(sockaddrBytes)
  address.writeUInt16LE(afPacket, 0)
  address.writeUInt16BE(etherTypeArp, 2)
  address.writeInt32LE(index, 4)
  return address
}

function open(netnsPath: string, index: number): number {
  const type = sockRaw | sockNonblock | sockCloexec
  const opened = withNamespace<unknown>(netnsPath, () => socket(afPacket, type, swapped(etherTypeArp)))
  const descriptor = z.int().parse(opened)
  if (descriptor < 0) throw new Unavailable(`no packet socket in ${netnsPath}, errno ${koffi.errno()}`)
  if (bind(descriptor, linkAddress(index), sockaddrBytes) === 0) return descriptor
  const errno = koffi.errno()
  close(descriptor)
  throw new Unavailable(`the packet socket in ${netnsPath} was not bound, errno ${errno}`)
}

/** A question that names no sender, so that nobody learns anything from it. */
function probeOf(mac: Buffer, address: string): Buffer {
  const head = Buffer.from('08060001080006040001', 'hex')
  const target = Buffer.from(ipaddr.IPv4.parse(address).toByteArray())
  return Buffer.concat([Buffer.from(broadcast, 'hex'), mac, head, mac, Buffer.alloc(4), Buffer.alloc(6), target])
}

interface Claim {
  readonly mac: string
  readonly address: string
}

/** Whoever sends ARP of an address has it, be it an answer or not. */
function claimIn(frame: Buffer): Claim | null {
  if (frame.length < frameBytes || frame.readUInt16BE(12) !== etherTypeArp) return null
  const mac = (frame.subarray(22, 28).toString('hex').match(/../g) ?? []).join(':')
  return { mac, address: frame.subarray(28, 32).join('.') }
}

function heard(descriptor: number): readonly Claim[] {
  const claims: Claim[] = []
  const buffer = Buffer.alloc(256)
  for (;;) {
    const length = Number(recv(descriptor, buffer, buffer.length, 0))
    if (length <= 0) return claims
    const claim = claimIn(buffer.subarray(0, length))
    if (claim) claims.push(claim)
  }
}

/**
 * @param link      the device that asks, up, in that namespace
 * @param addresses of IPv4
 */
export async function probe(
  netnsPath: string,
  link: { readonly index: number; readonly mac: string },
  addresses: readonly string[],
): Promise<Answers> {
  const asked = new Set(addresses)
  const mac = Buffer.from(link.mac.replaceAll(':', ''), 'hex')
  const found = new Map<string, Set<string>>()
  const descriptor = open(netnsPath, link.index)
  const listen = (): void => {
    for (const claim of heard(descriptor))
      if (asked.has(claim.address) && claim.mac !== link.mac)
        found.set(claim.address, (found.get(claim.address) ?? new Set()).add(claim.mac))
  }
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (let start = 0; start < addresses.length; start += atOnce) {
        for (const address of addresses.slice(start, start + atOnce))
          sendto(descriptor, probeOf(mac, address), frameBytes, 0, linkAddress(link.index), sockaddrBytes)
        await sleep(pauseMs)
        listen()
      }
      await sleep(patienceMs)
      listen()
    }
    return found
  } finally {
    close(descriptor)
  }
}
