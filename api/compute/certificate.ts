/** Key pairs of type x509: a certificate by which a user logs in to a machine that knows no ssh. Formats: RFC 5280, X.690. */
import { generateKeyPair, randomBytes, sign, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { Invalid } from '../../core/errors.ts'

const generate = promisify(generateKeyPair)

const tags = { integer: 2, bits: 3, octets: 4, null: 5, oid: 6, text: 12, time: 23, sequence: 48, set: 49 } as const

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 128) return Buffer.concat([Buffer.of(tag, length), content])
  const hex = length.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.of(tag, 128 + bytes.length), bytes, content])
}

/** Base 128, the highest bit set on all but the last byte of a number. */
function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const digits = [number & 127]
    for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift((left & 127) | 128)
    return digits
  })
  return der(tags.oid, Buffer.from(bytes))
}

function text(value: string): Buffer {
  return der(tags.text, Buffer.from(value, 'utf8'))
}

/** YYMMDDHHMMSSZ: for years until 2049. */
function time(date: Date): Buffer {
  return der(tags.time, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`))
}

const context = (number: number): number => 160 + number
const sequence = (...parts: readonly Buffer[]): Buffer => der(tags.sequence, ...parts)
const signedBySha256WithRsa = sequence(oid('1.2.840.113549.1.1.11'), der(tags.null))

function nameOf(commonName: string): Buffer {
  return sequence(der(tags.set, sequence(oid('2.5.4.3'), text(commonName))))
}

/** For log-ins of clients, by the name that Windows looks for. */
function extensionsOf(login: string): Buffer {
  const usage = sequence(oid('2.5.29.37'), der(tags.octets, sequence(oid('1.3.6.1.5.5.7.3.2'))))
  const other = der(context(0), oid('1.3.6.1.4.1.311.20.2.3'), der(context(0), text(login)))
  const alternative = sequence(oid('2.5.29.17'), der(tags.octets, sequence(other)))
  return der(context(3), sequence(usage, alternative))
}

const years = 10
/** The common name takes no more. */
const longestName = 64

export interface Certificate {
  readonly certificate: string
  /** PEM, PKCS #8 */
  readonly privateKey: string
}

/** A new key of 2048 bits with a certificate that it signed itself, good for ten years. */
export async function generateCertificate(userId: string): Promise<Certificate> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 })
  const [begin, end] = [new Date(), new Date()]
  end.setUTCFullYear(end.getUTCFullYear() + years)
  const name = nameOf(userId.slice(0, longestName))
  const serial = der(tags.integer, Buffer.of(1), randomBytes(15))
  const body = sequence(
    der(context(0), der(tags.integer, Buffer.of(2))),
    serial,
    signedBySha256WithRsa,
    name,
    sequence(time(begin), time(end)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensionsOf(`${userId}@localhost`),
  )
  const signature = der(tags.bits, Buffer.of(0), sign('sha256', body, privateKey))
  const certificate = new X509Certificate(sequence(body, signedBySha256WithRsa, signature))
  return { certificate: certificate.toString(), privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
}

/** Colon-separated SHA-1 of the certificate, as Nova shows it. @throws Invalid when it is none */
export function certificateFingerprint(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint.toLowerCase()
  } catch (error) {
    throw new Invalid('Keypair data is invalid: failed to generate X509 fingerprint', { cause: error })
  }
}
