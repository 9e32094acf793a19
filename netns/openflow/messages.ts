/** What is said to a switch. Source: OpenFlow Switch Specification 1.4, 7.3; openvswitch/nicira-ext.h */
import type { RateLimit } from '../../core/network.ts'
import { instructionsOf } from './actions.ts'
import { matchOf } from './match.ts'

const version = 5
export const types = {
  hello: 0,
  error: 1,
  echoRequest: 2,
  echoReply: 3,
  experimenter: 4,
  flowMod: 14,
  barrierRequest: 20,
  barrierReply: 21,
  meterMod: 29,
  bundleControl: 33,
  bundleAdd: 34,
} as const

const headBytes = 8
const none = 0xffffffff
/** All of a bundle or nothing, in its order. */
const atomicOrdered = 3

/** A message of OpenFlow without its number. */
export interface Message {
  readonly type: number
  readonly body: Buffer
}

export function framed({ type, body }: Message, id: number): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(version, 0)
  head.writeUInt8(type, 1)
  head.writeUInt16BE(headBytes + body.length, 2)
  head.writeUInt32BE(id, 4)
  return Buffer.concat([head, body])
}

export const hello: Message = { type: types.hello, body: Buffer.alloc(0) }
export const barrier: Message = { type: types.barrierRequest, body: Buffer.alloc(0) }

/** A flow that is to be there, or with no actions given one that is not. */
export function flowMod(match: string, actions: string | null): Message {
  const { table, priority, bytes } = matchOf(match)
  const head = Buffer.alloc(40)
  head.writeUInt8(table, 16)
  head.writeUInt8(actions === null ? 4 : 0, 17)
  head.writeUInt16BE(priority, 22)
  for (const at of [24, 28, 32]) head.writeUInt32BE(none, at)
  return { type: types.flowMod, body: Buffer.concat([head, bytes, instructionsOf(actions ?? '')]) }
}

const bundleSteps = { open: 0, close: 2, commit: 4, discard: 6 } as const

export function bundleControl(bundle: number, step: keyof typeof bundleSteps): Message {
  const body = Buffer.alloc(8)
  body.writeUInt32BE(bundle, 0)
  body.writeUInt16BE(bundleSteps[step], 4)
  body.writeUInt16BE(atomicOrdered, 6)
  return { type: types.bundleControl, body }
}

export function bundleAdd(bundle: number, message: Message, id: number): Message {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(bundle, 0)
  head.writeUInt16BE(atomicOrdered, 6)
  return { type: types.bundleAdd, body: Buffer.concat([head, framed(message, id)]) }
}

const meterCommands = { add: 0, modify: 1, remove: 2 } as const
/** Rates in kbit/s, and a burst is given. */
const kbpsBurst = 5

/** @param limit null = to be removed */
export function meterMod(command: keyof typeof meterCommands, number: number, limit: RateLimit | null): Message {
  const head = Buffer.alloc(8)
  head.writeUInt16BE(meterCommands[command], 0)
  head.writeUInt16BE(limit ? kbpsBurst : 0, 2)
  head.writeUInt32BE(number, 4)
  if (limit === null) return { type: types.meterMod, body: head }
  const band = Buffer.alloc(16)
  band.writeUInt16BE(1, 0)
  band.writeUInt16BE(band.length, 2)
  band.writeUInt32BE(limit.rate, 4)
  band.writeUInt32BE(limit.burst, 8)
  return { type: types.meterMod, body: Buffer.concat([head, band]) }
}

/** Connections of this zone are forgotten. */
export function flushZone(zone: number): Message {
  const body = Buffer.alloc(16)
  body.writeUInt32BE(0x00002320, 0)
  body.writeUInt32BE(29, 4)
  body.writeUInt16BE(zone, 14)
  return { type: types.experimenter, body }
}
