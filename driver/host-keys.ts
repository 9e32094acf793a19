/**
 * SSH host keys of a new guest, made on the host in a millisecond: the guest's first boot need not.
 * Source: OpenSSH's PROTOCOL.key, RFC 8709 (ed25519), RFC 5656 (ecdsa).
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { GuestSpec } from './driver.ts'

type File = GuestSpec['files'][number]

const blockBytes = 8
const edKey = z.object({ d: z.base64url(), x: z.base64url() })
const ecKey = z.object({ x: z.base64url(), y: z.base64url() })

function bytes(base64url: string): Buffer {
  return Buffer.from(base64url, 'base64url')
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(value)
  return out
}

/** RFC 4251's `string`: length, then bytes. */
function string(value: string | Buffer): Buffer {
  const content = Buffer.from(value)
  return Buffer.concat([uint32(content.length), content])
}

function pem(content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,70}/g) ?? []
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
}

function files(kind: string, { secret, blob, comment }: { secret: string; blob: Buffer; comment: string }): File[] {
  const path = `/etc/ssh/ssh_host_${kind}_key`
  const name = kind === 'ecdsa' ? 'ecdsa-sha2-nistp256' : 'ssh-ed25519'
  const line = `${name} ${blob.toString('base64')} ${comment}\n`
  return [
    { path, mode: 0o600, content: secret, owner: 'root' },
    { path: `${path}.pub`, mode: 0o644, content: line, owner: 'root' },
  ]
}

function ed25519(comment: string): File[] {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { d, x } = edKey.parse(privateKey.export({ format: 'jwk' }))
  const blob = Buffer.concat([string('ssh-ed25519'), string(bytes(x))])
  const check = randomBytes(4)
  const pair = Buffer.concat([bytes(d), bytes(x)])
  const body = Buffer.concat([check, check, blob, string(pair), string(comment)])
  const padding = Buffer.from(
    Array.from({ length: (blockBytes - (body.length % blockBytes)) % blockBytes }, (_, i) => i + 1),
  )
  const head = [Buffer.from('openssh-key-v1\0'), string('none'), string('none'), string(''), uint32(1)]
  const secret = pem(Buffer.concat([...head, string(blob), string(Buffer.concat([body, padding]))]))
  return files('ed25519', { secret, blob, comment })
}

function ecdsa(comment: string): File[] {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const { x, y } = ecKey.parse(publicKey.export({ format: 'jwk' }))
  const point = Buffer.concat([Buffer.from([4]), bytes(x), bytes(y)])
  const blob = Buffer.concat([string('ecdsa-sha2-nistp256'), string('nistp256'), string(point)])
  return files('ecdsa', { secret: privateKey.export({ format: 'pem', type: 'sec1' }), blob, comment })
}

/** The files of a host's keys, other ones at each call. */
export function hostKeys(hostname: string): readonly File[] {
  const comment = `root@${hostname}`
  return [...ed25519(comment), ...ecdsa(comment)]
}
