/** os-security-groups and os-security-group-rules: Neutron's, as Nova had them before 2.36. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { CloudError, Forbidden, Invalid, NotFound } from '../../core/errors.ts'
import { NetworkError } from '../../core/network-errors.ts'
import { isUuid } from '../../core/uuid.ts'
import { defaultGroup, deleteRule, getRule, getSecurityGroup, listSecurityGroups } from '../../db/security-groups.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import { makeRule } from '../network/security-group-rules.ts'
import { makeGroup, removeGroup, renameGroup } from '../network/security-groups.ts'
import type { WantedRule } from '../network/rule-body.ts'
import { pageOf } from '../page.ts'
import type { Call, Reply } from '../route.ts'
import { groupsView, peersOf, ruleView } from './views/security-group.ts'

type Json = Readonly<Record<string, unknown>>

/** @throws Invalid when it is no id at all */
function idIn(text: string): string {
  if (!isUuid(text)) throw new Invalid(`Security group id is not uuid: ${text}`)
  return text
}

/** Neutron's conflicts are bad requests here, and its quota a refusal. */
async function inNovasWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof NetworkError && error.type === 'OverQuota')
      throw new Forbidden(error.message, { cause: error })
    if (error instanceof CloudError && error.kind === 'conflict') throw new Invalid(error.message, { cause: error })
    throw error
  }
}

export async function index(call: Call): Promise<Reply> {
  const { db, caller, query } = call
  const viewer = viewerOf(caller)
  await db.transaction((trx) => defaultGroup(trx, viewer.projectId))
  const isAll = caller.isAdmin && query.has('all_tenants')
  const rows = await listSecurityGroups(db, isAll ? {} : { projectId: viewer.projectId }, viewer)
  const offset = /^\d{1,9}$/.test(query.get('offset') ?? '') ? Number(query.get('offset')) : 0
  const { limit } = pageOf(query)
  return { status: 200, body: { security_groups: await groupsView(db, rows.slice(offset, offset + limit)) } }
}

async function viewOf(call: Call, id: string): Promise<Json | undefined> {
  const group = await getSecurityGroup(call.db, id, viewerOf(call.caller))
  const [view] = await groupsView(call.db, [group])
  return view
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { security_group: await viewOf(call, call.params.id ?? '') } }
}

/** Spaces around a name are part of it; a name of nothing else is none. */
const text = z
  .string()
  .max(255)
  .refine((name) => name.trim() !== '')
const groupBody = z.looseObject({
  security_group: z.looseObject({ name: text, description: z.string().trim().max(255).nullable().optional() }),
})

export async function create(call: Call): Promise<Reply> {
  const { name, description } = parseBody(groupBody, call.body).security_group
  const { projectId } = viewerOf(call.caller)
  const id = await inNovasWords(
    call.db.transaction((trx) => makeGroup(trx, { projectId, name, description: description ?? '' })),
  )
  return { status: 200, body: { security_group: await viewOf(call, id) } }
}

export async function update(call: Call): Promise<Reply> {
  const id = idIn(call.params.id ?? '')
  const { name, description } = parseBody(groupBody, call.body).security_group
  await inNovasWords(renameGroup(call, id, { name, description: description ?? '' }))
  return { status: 200, body: { security_group: await viewOf(call, id) } }
}

export async function remove(call: Call): Promise<Reply> {
  await inNovasWords(removeGroup(call, idIn(call.params.id ?? '')))
  return { status: 202 }
}

const port = z.union([z.int(), z.string(), z.null()]).optional()
const ruleBody = z.looseObject({
  security_group_rule: z.looseObject({
    parent_group_id: z.union([z.string(), z.int().transform(String)]).optional(),
    ip_protocol: z.string().nullable().optional(),
    from_port: port,
    to_port: port,
    cidr: z.string().nullable().optional(),
    group_id: z
      .union([z.string(), z.int().transform(String)])
      .nullable()
      .optional(),
  }),
})
type Asked = z.output<typeof ruleBody>['security_group_rule']

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

function numberIn(value: z.output<typeof port>): number {
  const number = Number(value)
  if (!Number.isInteger(number)) throw new Invalid('To and From ports must be integers')
  return number
}

const known: readonly string[] = ['tcp', 'udp', 'icmp']

/** Nova's -1 is Neutron's null: any type, any code. */
function rangeOf({ ip_protocol: protocol, from_port: from, to_port: to }: Asked): {
  readonly protocol: string
  readonly min: number | null
  readonly max: number | null
} {
  const name = protocol?.toLowerCase() ?? ''
  const [min, max] = [numberIn(from), numberIn(to)]
  if (!known.includes(name)) throw new Invalid(`Invalid IP protocol ${String(protocol)}.`)
  const isIcmp = name === 'icmp'
  if (isIcmp ? min < -1 || min > 255 || max < -1 || max > 255 : min > max || min < 1 || max > 65_535)
    throw new Invalid(
      `Invalid port range ${min}:${max}. ${isIcmp ? 'Valid ICMP types and codes are -1 to 255' : 'Valid TCP ports should be between 1-65535'}`,
    )
  return { protocol: name, min: min < 0 ? null : min, max: max < 0 ? null : max }
}

/** What the rule lets in from: a group, or a prefix. Nova took 0.0.0.0/0 when neither was named. @throws Invalid */
function peerOf({
  cidr,
  group_id: groupId,
}: Asked): Pick<WantedRule, 'ethertype' | 'remote_ip_prefix' | 'remote_group_id'> {
  if (groupId !== undefined && groupId !== null)
    return { ethertype: 'IPv4', remote_ip_prefix: null, remote_group_id: idIn(groupId) }
  const given = isNothing(cidr) ? '0.0.0.0/0' : String(cidr)
  const [address = '', length] = given.split('/')
  const bits = Number(length ?? (address.includes(':') ? 128 : 32))
  if (isIP(address) === 0 || !Number.isInteger(bits) || bits > (address.includes(':') ? 128 : 32))
    throw new Invalid(`Invalid cidr ${given}.`)
  if (bits === 0 && address !== '0.0.0.0' && address !== '::')
    throw new Invalid(`Bad prefix for network in cidr ${given}`)
  return { ethertype: address.includes(':') ? 'IPv6' : 'IPv4', remote_ip_prefix: given, remote_group_id: null }
}

function wantedRuleOf(asked: Asked): WantedRule {
  const isWhole = !isNothing(asked.ip_protocol) && !isNothing(asked.from_port) && !isNothing(asked.to_port)
  if (!isWhole && isNothing(asked.group_id)) throw new Invalid('Not enough parameters to build a valid rule.')
  const range = isWhole ? rangeOf(asked) : { protocol: asked.ip_protocol?.toLowerCase() ?? null, min: null, max: null }
  return {
    security_group_id: idIn(asked.parent_group_id ?? ''),
    direction: 'ingress',
    protocol: range.protocol,
    port_range_min: range.min,
    port_range_max: range.max,
    description: '',
    ...peerOf(asked),
  }
}

export async function createRule(call: Call): Promise<Reply> {
  const asked = parseBody(ruleBody, call.body).security_group_rule
  const viewer = viewerOf(call.caller)
  await getSecurityGroup(call.db, idIn(asked.parent_group_id ?? ''), viewer)
  const wanted = wantedRuleOf(asked)
  const id = await inNovasWords(call.db.transaction((trx) => makeRule(trx, call, wanted)))
  const rule = await getRule(call.db, id, viewer)
  return { status: 200, body: { security_group_rule: ruleView(rule, await peersOf(call.db, [rule])) } }
}

export async function removeRule(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const rule = await getRule(call.db, idIn(id), viewerOf(call.caller))
  if (rule.direction !== 'ingress') throw new NotFound('Security group rule', id)
  await call.db.transaction((trx) => deleteRule(trx, rule))
  return { status: 202 }
}
