/**
 * The line between two agents, over which disks go: HTTP over TLS whose key both sides read from the database (RFC 5489). No certificates:
 * who knows the token of a host's agent is an agent of the same cloud, and so is who answers with it.
 */
import { createHash } from 'node:crypto'

/** With a key exchange of its own for each connection, so that a token that leaks later tells nothing of what went before. */
const ciphers = 'ECDHE-PSK-CHACHA20-POLY1305'
export const tlsOfLink = { ciphers, maxVersion: 'TLSv1.2' } as const

export function keyOfLink(agentToken: string): Buffer {
  return createHash('sha256').update(`disks ${agentToken}`).digest()
}
