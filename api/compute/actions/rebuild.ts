/** Rebuild. Source: nova/api/openstack/compute/schemas/servers.py, rebuild_v2_94. */
import { z } from 'zod'
import { Invalid, OverQuota } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { getKeypair } from '../../../db/keypairs.ts'
import { quotasOf } from '../../../db/quotas.ts'
import { updateServer, type ServerFields } from '../../../db/servers.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { viewerOf } from '../../caller.ts'
import { minorOf } from '../../microversion.ts'
import type { Call } from '../../route.ts'
import { adminPassword, checkHostname, description, fieldName, hostname } from '../fields.ts'
import { linksOf } from '../links.ts'
import { bootImage, checkFit, known, sshKeyOf } from '../servers/boot-source.ts'
import { beginChange, refuseIfLocked } from '../servers/change.ts'
import { accessIp, diskConfig, metadata } from '../servers/create-body.ts'
import { shownOf } from '../servers/find.ts'
import { newPassword } from '../servers/new-password.ts'
import { personality, personalFiles } from '../servers/personality.ts'
import { serverView } from '../views/server.ts'
import type { Action } from './action.ts'

const wish = z.strictObject({
  imageRef: z.string().min(1),
  name: fieldName.optional(),
  adminPass: adminPassword.optional(),
  metadata: metadata.optional(),
  accessIPv4: accessIp(4).optional(),
  accessIPv6: accessIp(6).optional(),
  'OS-DCF:diskConfig': diskConfig.optional(),
  preserve_ephemeral: z.union([z.boolean(), z.stringbool()]).optional(),
  description: description.optional(),
  key_name: z.string().min(1).max(255).nullable().optional(),
  user_data: z.base64().max(65_535).nullable().optional(),
  personality: personality.optional(),
  trusted_image_certificates: z.array(z.string()).nullable().optional(),
  hostname: hostname.optional(),
})
type Wish = z.output<typeof wish>
const body = z.strictObject({ rebuild: wish })

const brought = {
  description: '2.19',
  key_name: '2.54',
  user_data: '2.57',
  trusted_image_certificates: '2.63',
  hostname: '2.90',
} as const

function parse({ body: given, version }: Call): Wish {
  const { rebuild: wanted } = parseBody(body, given)
  for (const [field, since] of Object.entries(brought))
    if (Object.hasOwn(wanted, field) && version < minorOf(since))
      throw new Invalid(`Additional properties are not allowed ('${field}' was unexpected)`)
  checkHostname(wanted.hostname, version)
  if (wanted.personality && version >= minorOf('2.57'))
    throw new Invalid("Additional properties are not allowed ('personality' was unexpected)")
  if (wanted.trusted_image_certificates) throw new Invalid('Image certificate validation is not supported.')
  return wanted
}

async function keyFields(trx: Transaction, { caller }: Call, name: string | null | undefined): Promise<ServerFields> {
  if (name === undefined) return {}
  if (name === null) return { keyName: null, publicKey: null }
  const key = await known(getKeypair(trx, caller.userId, name), 'Invalid key_name provided.')
  return { keyName: name, publicKey: sshKeyOf(key) }
}

/** What the row shows from now on; what is not named stays. */
async function fieldsOf(trx: Transaction, call: Call, wanted: Wish): Promise<ServerFields> {
  const { name, metadata: items, accessIPv4, accessIPv6, user_data } = wanted
  const all = {
    name,
    metadata: items,
    accessIpv4: accessIPv4,
    accessIpv6: accessIPv6,
    description: wanted.description,
    userData: user_data,
    hostname: wanted.hostname,
    diskConfig: wanted['OS-DCF:diskConfig'],
    ...(await keyFields(trx, call, wanted.key_name)),
  }
  const { metadata_items: most } = await quotasOf(trx, viewerOf(call.caller).projectId)
  if (most >= 0 && Object.keys(items ?? {}).length > most)
    throw new OverQuota(`Maximum number of metadata items exceeds ${most}`)
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

async function begin(call: Call, server: Server, wanted: Wish, password: string): Promise<Server> {
  return await call.db.transaction(async (trx) => {
    const image = await bootImage(trx, wanted.imageRef, viewerOf(call.caller))
    checkFit(server.flavor, image)
    const { host, vmState } = await beginChange(trx, call, server, { name: 'server.rebuild', action: 'rebuild' })
    const payload = {
      serverId: server.id,
      requestId: call.requestId,
      adminPassword: password,
      personality: [...(await personalFiles(trx, viewerOf(call.caller).projectId, wanted.personality))],
      isStopped: vmState === 'stopped',
      reference: image.reference,
      previousImageId: server.imageId,
    }
    await enqueue(trx, 'server.rebuild', payload, host ?? undefined)
    return await updateServer(trx, server.id, { ...(await fieldsOf(trx, call, wanted)), imageId: image.id })
  })
}

export const rebuild: Action = async (call, server) => {
  const wanted = parse(call)
  refuseIfLocked(call, server)
  const password = wanted.adminPass ?? newPassword()
  const changed = await begin(call, server, wanted, password)
  const { version, root, caller } = call
  const view = serverView(await shownOf(call, changed.id), { version, root, isAdmin: caller.isAdmin, as: 'update' })
  // A rebuild shows the user data under a name of its own.
  const shown = Object.fromEntries(Object.entries(view).filter(([field]) => field !== 'OS-EXT-SRV-ATTR:user_data'))
  const added = {
    ...(version >= 54 ? { key_name: changed.keyName } : {}),
    ...(version >= 57 ? { user_data: changed.userData } : {}),
    adminPass: password,
  }
  const [self] = linksOf(root, 'servers', server.id)
  return { status: 202, body: { server: { ...shown, ...added } }, headers: { Location: self?.href ?? '' } }
}
