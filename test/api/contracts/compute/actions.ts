/** POST /servers/{id}/action: by the key of the body. */
import { z } from 'zod'
import type { Contract, Contracts } from '../contract.ts'
import { nothing, object, optional, shapeOf, since, turning, until, type Part } from '../shape.ts'
import { items, text, whole as number } from '../words.ts'
import { rebuild, rebuilt } from './server.ts'

const anything = z.unknown().optional()
const flag = z.union([z.boolean(), text])
const image = turning(['2.1', z.undefined()], ['2.45', z.strictObject({ image_id: z.uuid() })])

/** Nova looks at nothing beside the key. */
const bare: Contract = { takes: anything, gives: { 202: nothing } }
const taking = (takes: Part): Contract => ({ takes, gives: { 202: nothing } })
const password = z.strictObject({ adminPass: text })
const console_ = z.strictObject({ type: text })
const host = text.nullable().optional()
const liveHost = text.nullable()

const contracts: Readonly<Record<string, Contract>> = {
  'os-start': bare,
  'os-stop': bare,
  reboot: taking(z.strictObject({ type: text })),
  pause: bare,
  unpause: bare,
  suspend: bare,
  resume: bare,
  resize: taking(
    z.strictObject({ flavorRef: z.union([text, number]), 'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']).optional() }),
  ),
  confirmResize: { takes: anything, gives: { 204: nothing } },
  revertResize: bare,
  rebuild: { takes: rebuild, gives: { 202: object({ server: rebuilt }) } },
  rescue: {
    takes: z.strictObject({ adminPass: text.optional(), rescue_image_ref: text.optional() }).nullable(),
    gives: { 200: password },
  },
  unrescue: bare,
  createImage: {
    takes: z.strictObject({ name: text, metadata: items.optional() }),
    gives: { 202: image },
  },
  createBackup: {
    takes: z.strictObject({
      name: text,
      backup_type: text,
      rotation: z.union([number, text]),
      metadata: items.optional(),
    }),
    // One that its own rotation deletes is not named.
    gives: { 202: optional(image) },
  },
  shelve: bare,
  shelveOffload: bare,
  unshelve: taking(
    turning(
      ['2.1', anything],
      ['2.77', z.strictObject({ availability_zone: text }).nullable()],
      ['2.91', z.strictObject({ availability_zone: text.nullable().optional(), host: text.optional() }).nullable()],
    ),
  ),
  'os-getConsoleOutput': {
    takes: z.strictObject({ length: z.union([number, text]).nullable().optional() }).nullable(),
    gives: { 200: z.strictObject({ output: text }) },
  },
  changePassword: taking(password),
  'os-resetState': taking(z.strictObject({ state: z.enum(['active', 'error']) })),
  forceDelete: bare,
  restore: bare,
  injectNetworkInfo: bare,
  resetNetwork: { takes: anything, gives: {} },
  migrate: taking(turning(['2.1', anything], ['2.56', z.strictObject({ host }).nullable()])),
  'os-migrateLive': {
    takes: object({
      host: liveHost,
      block_migration: flag,
      disk_over_commit: until('2.25', flag),
      force: since('2.30', until('2.68', flag.optional())),
    }),
    gives: {},
  },
  evacuate: {
    takes: object({
      host: text.optional(),
      adminPass: text.optional(),
      onSharedStorage: until('2.14', flag),
      force: since('2.29', until('2.68', flag.optional())),
    }),
    gives: { 200: turning(['2.1', password], ['2.14', nothing]) },
  },
  trigger_crash_dump: { takes: since('2.17', z.null()), gives: {} },
  'os-getVNCConsole': { takes: until('2.6', console_), gives: {} },
  'os-getSPICEConsole': { takes: until('2.6', console_), gives: {} },
  'os-getRDPConsole': { takes: until('2.6', console_), gives: {} },
  'os-getSerialConsole': { takes: until('2.6', console_), gives: {} },
  lock: taking(turning(['2.1', anything], ['2.73', z.strictObject({ locked_reason: text.optional() }).nullable()])),
  unlock: bare,
  addSecurityGroup: taking(z.strictObject({ name: text })),
  removeSecurityGroup: taking(z.strictObject({ name: text })),
  addFixedIp: taking(until('2.44', z.strictObject({ networkId: z.union([text, number]) }))),
  removeFixedIp: taking(until('2.44', z.strictObject({ address: text }))),
}

/** What stands beside the key is checked with the key around it. */
function wrapped(name: string, { takes, ...rest }: Contract): Contract {
  if (takes === undefined) return rest
  const [inner, whole] = [shapeOf(takes), object({ [name]: takes })]
  return { ...rest, takes: { ...whole, at: (version) => inner.at(version) && whole.at(version) } }
}

export const actionRoute = 'POST /compute/v2.1/servers/:id/action'

export const actions: Contracts = Object.fromEntries(
  Object.entries(contracts).map(([name, contract]) => [`${actionRoute} ${name}`, wrapped(name, contract)]),
)
