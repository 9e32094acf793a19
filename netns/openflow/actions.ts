/** What a flow does with a packet, as OpenFlow and Nicira's extensions write it. Source: ovs-actions(7), openvswitch/ofp-actions.c */
import { Invalid } from '../../core/errors.ts'
import { fieldNamed, fields, header, numberBytes, oxm, valueOf, type Field } from './fields.ts'

const nicira = 0x00002320
const ports = { normal: 0xfffffffa, inPort: 0xfffffff8 } as const
/** OFPP_IN_PORT, in 16 bits */
const sameInPort = 0xfff8
const noTable = 0xff
const wholeFrame = 0xffff

/** A part of a field, such as NXM_NX_REG5[0..15]; without numbers all of it. */
interface Part {
  readonly field: Field
  readonly first: number
  readonly bits: number
}

function partOf(text: string): Part {
  const [, name = '', from, to] = /^(\w+)\[(?:(\d+)\.\.(\d+))?\]$/.exec(text) ?? []
  const field = fieldNamed(name)
  const first = Number(from ?? 0)
  return { field, first, bits: to === undefined ? field.bytes * 8 : Number(to) - first + 1 }
}

/** Offset and number of bits in one word. */
function span({ first, bits }: Part): number {
  return (first << 6) | (bits - 1)
}

function u16(value: number): Buffer {
  return numberBytes(String(value), 2)
}

function u32(value: number): Buffer {
  return numberBytes(String(value), 4)
}

function action(type: number, ...body: readonly Buffer[]): Buffer {
  const all = Buffer.concat(body)
  const padded = Buffer.concat([all, Buffer.alloc((8 - ((4 + all.length) % 8)) % 8)])
  return Buffer.concat([u16(type), u16(4 + padded.length), padded])
}

function niciraAction(subtype: number, ...body: readonly Buffer[]): Buffer {
  return action(0xffff, u32(nicira), u16(subtype), ...body)
}

function output(port: number): Buffer {
  return action(0, u32(port), u16(wholeFrame), Buffer.alloc(6))
}

function outputTo(words: string): Buffer {
  if (/^\d+$/.test(words)) return output(Number(words))
  const part = partOf(words)
  return niciraAction(15, u16(span(part)), u32(header(part.field)), u16(wholeFrame), Buffer.alloc(6))
}

function resubmit(words: string): Buffer {
  return niciraAction(14, u16(sameInPort), Buffer.from([Number(words.replace(',', ''))]), Buffer.alloc(3))
}

function loadInto(words: string): Buffer {
  const [value = '', target = ''] = words.split('->')
  const part = partOf(target)
  return niciraAction(7, u16(span(part)), u32(header(part.field)), numberBytes(value, 8))
}

function moveInto(words: string): Buffer {
  const [source, target] = words.split('->').map(partOf)
  if (!source || !target) throw new Invalid(`nothing is moved by ${words}`)
  return niciraAction(
    6,
    u16(source.bits),
    u16(source.first),
    u16(target.first),
    u32(header(source.field)),
    u32(header(target.field)),
  )
}

function track(words: string): Buffer {
  const parts = split(words)
  const named = (name: string): string | undefined =>
    parts.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1)
  const zone = partOf(named('zone') ?? '')
  const exec = parts.find((one) => one.startsWith('exec('))
  return niciraAction(
    35,
    u16(parts.includes('commit') ? 1 : 0),
    u32(header(zone.field)),
    u16(span(zone)),
    Buffer.from([Number(named('table') ?? noTable), 0, 0, 0]),
    u16(0),
    exec === undefined ? Buffer.alloc(0) : actionsOf(exec.slice('exec('.length, -1)),
  )
}

function setField(field: Field): (words: string) => Buffer {
  return (words) => action(25, oxm(field, valueOf(words, field)))
}

const kinds: Readonly<Record<string, (words: string) => Buffer>> = {
  output: outputTo,
  resubmit,
  load: loadInto,
  move: moveInto,
  ct: track,
  mod_dl_src: setField(fields.ethSrc),
  mod_dl_dst: setField(fields.ethDst),
  mod_nw_src: setField(fields.ipv4Src),
  mod_nw_dst: setField(fields.ipv4Dst),
  strip_vlan: () => action(18, Buffer.alloc(4)),
  NORMAL: () => output(ports.normal),
  IN_PORT: () => output(ports.inPort),
}

/** At the commas that are in no brackets. */
function split(text: string): readonly string[] {
  const parts: string[] = []
  let [depth, from] = [0, 0]
  for (let at = 0; at <= text.length; at += 1) {
    if (text[at] === '(') depth += 1
    if (text[at] === ')') depth -= 1
    if (at < text.length && (text[at] !== ',' || depth > 0)) continue
    if (at > from) parts.push(text.slice(from, at))
    from = at + 1
  }
  return parts
}

function actionOf(text: string): Buffer {
  const [, name = '', rest = ''] = /^(\w+)[:(]?(.*)$/.exec(text) ?? []
  const kind = kinds[name]
  if (!kind) throw new Invalid(`no flow of ours does ${text}`)
  return kind(text.startsWith(`${name}(`) ? rest.slice(0, -1) : rest)
}

function actionsOf(text: string): Buffer {
  return Buffer.concat(split(text).map(actionOf))
}

/** The instructions of a flow; a meter is one of its own. @param text such as 'meter:4,load:1->NXM_NX_REG4[],resubmit(,30)' */
export function instructionsOf(text: string): Buffer {
  const words = split(text).filter((word) => word !== 'drop')
  const meters = words.filter((word) => word.startsWith('meter:'))
  const rest = words.filter((word) => !word.startsWith('meter:'))
  const body = Buffer.concat(rest.map(actionOf))
  return Buffer.concat([
    ...meters.map((word) => Buffer.concat([u16(6), u16(8), u32(Number(word.slice('meter:'.length)))])),
    ...(rest.length === 0 ? [] : [Buffer.concat([u16(4), u16(8 + body.length), u32(0), body])]),
  ])
}
