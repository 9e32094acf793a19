/** The password that a guest leaves for its owner, encrypted for the owner's key. Source: nova/api/metadata/password.py. */
import type { IncomingMessage } from 'node:http'
import { keepSealedPassword, sealedPasswordOf } from '../../db/sealed-password.ts'
import type { Host } from '../host.ts'

/** Nova's limit. */
const mostBytes = 1020

export function isPasswordPath(path: string): boolean {
  return /^\/openstack\/(latest|20\d\d-\d\d-\d\d)\/password$/.test(path)
}

/** @returns null when there is more than a password may have */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request) {
    const bytes = Buffer.from(piece instanceof Uint8Array ? piece : String(piece))
    size += bytes.length
    if (size > mostBytes) return null
    pieces.push(bytes)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** The answer to a guest that reads or leaves its password. */
export interface Said {
  readonly status: number
  readonly text: string
}

/** It is read as often as one likes, and left once, until its owner clears it. */
export async function passwordAnswer({ db }: Host, serverId: string, request: IncomingMessage): Promise<Said> {
  if (request.method !== 'POST') return { status: 200, text: await sealedPasswordOf(db, serverId) }
  const password = await bodyOf(request)
  if (password === null) return { status: 400, text: `a password has ${mostBytes} bytes at most` }
  const isKept = await keepSealedPassword(db, serverId, password)
  return isKept ? { status: 200, text: '' } : { status: 409, text: 'there is a password already' }
}
