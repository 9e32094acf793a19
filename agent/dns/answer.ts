/** What the DNS of a network says: its servers itself, all else what a resolver says. Source: RFC 1035, RFC 3596, RFC 2308 */
import { AUTHORITATIVE_ANSWER, decode, encode, RECURSION_AVAILABLE, RECURSION_DESIRED } from 'dns-packet'
import type { Answer, Packet, Question } from 'dns-packet'
import ipaddr from 'ipaddr.js'

/** RFC 1035, section 4.1.1 */
const codes = { noError: 0, serverFailure: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const
export type Code = keyof typeof codes

/** A server may be another machine of that address in half a minute. */
const ttl = 30

/** What is known of the asker's network. */
export interface Names {
  /** none = nobody has that name */
  readonly addressesOf: (name: string) => Promise<readonly string[]>
  /** null = the address is in none of the network's subnets; a name of null = nobody has it */
  readonly ownerOf: (address: string) => Promise<{ readonly name: string | null } | null>
}

/** @returns null when the bytes are no question */
export function questionIn(bytes: Buffer): { readonly packet: Packet; readonly question: Question } | null {
  try {
    const packet = decode(bytes)
    const [question] = packet.questions ?? []
    return packet.type === 'query' && question ? { packet, question } : null
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}

/** An answer of our own to a question. */
export function reply({ id, flags = 0, questions }: Packet, code: Code, answers: readonly Answer[] = []): Buffer {
  const bits = (flags & RECURSION_DESIRED) | RECURSION_AVAILABLE | (code === 'refused' ? 0 : AUTHORITATIVE_ANSWER)
  return encode({
    type: 'response',
    ...(id === undefined ? {} : { id }),
    flags: bits | codes[code],
    ...(questions === undefined ? {} : { questions }),
    answers: [...answers],
  })
}

/** '4.3.2.1.in-addr.arpa' -> '1.2.3.4'; null when it is no such name. Source: RFC 1035, section 3.5; RFC 3596, section 2.5 */
export function addressIn(name: string): string | null {
  const v4 = /^((?:\d{1,3}\.){3}\d{1,3})\.in-addr\.arpa$/.exec(name)?.[1]
  if (v4 !== undefined) {
    const address = v4.split('.').toReversed().join('.')
    return ipaddr.IPv4.isValidFourPartDecimal(address) ? address : null
  }
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1]
  const nibbles = v6?.split('.').toReversed().join('').match(/..../g)
  return nibbles ? ipaddr.parse(nibbles.join(':')).toString() : null
}

function forward(question: Question, addresses: readonly string[]): readonly Answer[] {
  return addresses.flatMap((address): readonly Answer[] => {
    const type = address.includes(':') ? 'AAAA' : 'A'
    return type === question.type ? [{ type, name: question.name, ttl, data: address }] : []
  })
}

/**
 * @returns null when the question is not about the network: a resolver is to be asked. A name of one part is never asked for
 *          elsewhere, so it is answered at once
 */
export async function answerFrom(names: Names, packet: Packet, question: Question): Promise<Buffer | null> {
  const name = question.name.toLowerCase().replace(/\.$/, '')
  const address = addressIn(name)
  if (address !== null) {
    const owner = await names.ownerOf(address)
    if (owner === null) return null
    if (owner.name === null) return reply(packet, 'noSuchName')
    const pointers =
      question.type === 'PTR' ? [{ type: 'PTR', name: question.name, ttl, data: owner.name } as const] : []
    return reply(packet, 'noError', pointers)
  }
  const addresses = await names.addressesOf(name)
  if (addresses.length > 0) return reply(packet, 'noError', forward(question, addresses))
  return name.includes('.') ? null : reply(packet, 'noSuchName')
}
