/** SSH keys: made, read and fingerprinted with node's own cryptography. Formats: RFC 4253, RFC 4716. */
import { createHash, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { Invalid } from '../../core/errors.ts'

const generate = promisify(generateKeyPair)

export interface SshKey {
  /** one line, as in authorized_keys */
  readonly publicKey: string
  /** PEM, as ssh -i reads it */
  readonly privateKey: string
}

/** A length-prefixed string; integers get a leading zero byte when their first bit is set. */
function field(bytes: Uint8Array, { integer }: { readonly integer: boolean }): Buffer {
  const first = bytes[0] ?? 0
  const body = integer && first >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** A new RSA key of 2048 bits, in the traditional PEM form: what Nova makes, and what its clients save. */
export async function generateKey(comment: string): Promise<SshKey> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 })
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
  const blob = Buffer.concat([
    field(Buffer.from('ssh-rsa'), { integer: false }),
    field(Buffer.from(e, 'base64url'), { integer: true }),
    field(Buffer.from(n, 'base64url'), { integer: true }),
  ])
  return {
    publicKey: `ssh-rsa ${blob.toString('base64')} ${comment}`,
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }),
  }
}

/** The type that the key itself names, which must be the one on the line. */
function typeInside(blob: Buffer): string | null {
  if (blob.length < 4) return null
  const length = blob.readUInt32BE(0)
  return length > 0 && length <= 64 && blob.length > 4 + length ? blob.toString('latin1', 4, 4 + length) : null
}

/** Colon-separated MD5 of the key, as Nova shows it. @throws Invalid when it is no public key */
export function fingerprintOf(publicKey: string): string {
  const [type = '', encoded = ''] = publicKey.trim().split(/\s+/)
  const blob = Buffer.from(encoded, 'base64')
  if (type === '' || publicKey.length > 16_384 || /[\r\n]/.test(publicKey.trim()) || typeInside(blob) !== type)
    throw new Invalid('Keypair data is invalid: failed to generate fingerprint')
  return createHash('md5')
    .update(blob)
    .digest('hex')
    .replace(/(..)(?=.)/g, '$1:')
}
