/** PUT /servers/{id}: what may change at any time. */
import { z } from 'zod'
import { Invalid } from '../../../core/errors.ts'
import { updateServer } from '../../../db/servers.ts'
import { parseBody } from '../../body.ts'
import { minorOf } from '../../microversion.ts'
import type { Call, Reply } from '../../route.ts'
import { serverView } from '../views/server.ts'
import { checkHostname, description, fieldName, hostname } from '../fields.ts'
import { accessIp, diskConfig } from './create-body.ts'
import { shownOf, serverOf } from './find.ts'

const body = z.strictObject({
  server: z.strictObject({
    name: fieldName.optional(),
    'OS-DCF:diskConfig': diskConfig.optional(),
    accessIPv4: accessIp(4).optional(),
    accessIPv6: accessIp(6).optional(),
    description: description.optional(),
    hostname: hostname.optional(),
  }),
})

const brought = { description: '2.19', hostname: '2.90' } as const

export async function update(call: Call): Promise<Reply> {
  const { server: wanted } = parseBody(body, call.body)
  for (const [field, since] of Object.entries(brought))
    if (Object.hasOwn(wanted, field) && call.version < minorOf(since))
      throw new Invalid(`Additional properties are not allowed ('${field}' was unexpected)`)
  checkHostname(wanted.hostname, call.version)
  const server = await serverOf(call, call.params.id)
  const { accessIPv4, accessIPv6, 'OS-DCF:diskConfig': disk } = wanted
  const changed = await call.db.transaction((trx) =>
    updateServer(trx, server.id, {
      ...(disk === undefined ? {} : { diskConfig: disk }),
      ...(wanted.name === undefined ? {} : { name: wanted.name }),
      ...(wanted.description === undefined ? {} : { description: wanted.description }),
      ...(wanted.hostname === undefined ? {} : { hostname: wanted.hostname }),
      ...(accessIPv4 === undefined ? {} : { accessIpv4: accessIPv4 }),
      ...(accessIPv6 === undefined ? {} : { accessIpv6: accessIPv6 }),
    }),
  )
  const { version, root, caller } = call
  const shown = await shownOf(call, changed.id)
  return { status: 200, body: { server: serverView(shown, { version, root, isAdmin: caller.isAdmin, as: 'update' }) } }
}
