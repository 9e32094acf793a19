/** JSON that can be read, and would break what comes after. */

/** JSON this deep is nobody's wish, and breaks whoever walks through it. Brackets in texts count too: none has so many. */
const deepest = 1000

function refuseDepth(bytes: Buffer): void {
  const [opening, closing] = ['[{', ']}'].map((signs) => new Set(Buffer.from(signs)))
  let depth = 0
  for (const byte of bytes) {
    if (opening?.has(byte)) depth++
    if (closing?.has(byte)) depth--
    if (depth > deepest) throw new RangeError('The request body is too deep.')
  }
}

function refuseNulIn(text: string): void {
  if (text.includes('\0')) throw new RangeError('The request body has a NUL.')
}

/** Postgres keeps no NUL, nor do files, names and environments of guests. Few bodies look as if they had one, and are read for it. */
function refuseNul(bytes: Buffer): void {
  if (!bytes.includes('\\u0000')) return
  JSON.parse(bytes.toString(), (key, value: unknown) => {
    refuseNulIn(key)
    if (typeof value === 'string') refuseNulIn(value)
    return value
  })
}

/** For the body parser, which answers what is thrown here as a malformed body. @throws RangeError */
export function refuseOddJson(_request: unknown, _response: unknown, bytes: Buffer): void {
  refuseDepth(bytes)
  refuseNul(bytes)
}
