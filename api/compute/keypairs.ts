import { z } from 'zod'
import { Forbidden, Invalid, NotFound } from '../../core/errors.ts'
import type { Transaction } from '../../db/connect.ts'
import { countKeypairs, deleteKeypair, getKeypair, insertKeypair, listKeypairs } from '../../db/keypairs.ts'
import { quotasOf, withinCount } from '../../db/quotas.ts'
import type { KeypairRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import { linksField, maxLimit, nextHref, pageOf } from '../page.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { certificateFingerprint, generateCertificate } from './certificate.ts'
import { refuseKeys, refuseParameters } from './keys.ts'
import { fingerprintOf, generateKey } from './ssh-key.ts'

/** Nova's rule of names before 2.92: letters, digits, space, - and _. */
const plainName = /^[a-zA-Z0-9_\- ]+$/
const wideName = /^[a-zA-Z0-9_\-@. ]+$/

const name = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => text.trim() === text, { error: 'Leading or trailing spaces are not allowed' })

const body = z.strictObject({
  keypair: z.strictObject({
    name,
    public_key: z.string().optional(),
    type: z.enum(['ssh', 'x509']).optional(),
    user_id: z.string().optional(),
  }),
})

const brought = { type: { since: '2.2' }, user_id: { since: '2.10' } } as const

/** Whose keys: the caller's own, or, for administrators from 2.10, another user's. */
function ownerOf({ caller, version }: Call, userId: string | null | undefined): string {
  if (!userId || version < 10 || userId === caller.userId) return caller.userId
  if (!isAllowed(caller, 'os_compute_api:os-keypairs:others'))
    throw new Forbidden("Policy doesn't allow os_compute_api:os-keypairs to be performed on others' key pairs.")
  return userId
}

function view({ name: keyName, publicKey, fingerprint, type }: KeypairRow, version: number): Record<string, unknown> {
  return { name: keyName, public_key: publicKey, fingerprint, ...(version >= 2 ? { type } : {}) }
}

type Keeping = Readonly<Record<'projectId' | 'userId', string>>

async function checkQuota(trx: Transaction, { projectId, userId }: Keeping): Promise<void> {
  const { key_pairs: limit } = await quotasOf(trx, projectId, userId)
  await withinCount(trx, limit, {
    what: `key pairs of user ${userId}`,
    count: () => countKeypairs(trx, userId),
    sentence: 'Quota exceeded, too many key pairs.',
  })
}

interface Key extends Pick<KeypairRow, 'type' | 'publicKey' | 'fingerprint'> {
  /** of a new one: it is told once */
  readonly privateKey: string | null
}

/** The one that the user brought, or a new one. */
async function keyOf(wanted: z.output<typeof body>['keypair'], userId: string): Promise<Key> {
  const { name: keyName, public_key: given, type = 'ssh' } = wanted
  if (type === 'ssh') {
    const made = given === undefined ? await generateKey(keyName) : null
    const publicKey = made?.publicKey ?? given ?? ''
    return { type, publicKey, fingerprint: fingerprintOf(publicKey), privateKey: made?.privateKey ?? null }
  }
  const made = given === undefined ? await generateCertificate(userId) : null
  const publicKey = made?.certificate ?? given ?? ''
  return { type, publicKey, fingerprint: certificateFingerprint(publicKey), privateKey: made?.privateKey ?? null }
}

export async function create(call: Call): Promise<Reply> {
  const { db, version, caller } = call
  const { keypair } = parseBody(body, call.body)
  refuseKeys(keypair, brought, { version, field: 'keypair' })
  if (!(version >= 92 ? wideName : plainName).test(keypair.name))
    throw new Invalid(`Keypair data is invalid: Keypair name contains unsafe characters`)
  if (version >= 92 && keypair.public_key === undefined)
    throw new Invalid("Invalid input for field/attribute keypair. 'public_key' is a required property")
  const userId = ownerOf(call, keypair.user_id)
  const { privateKey, ...key } = await keyOf(keypair, userId)
  const row = { userId, name: keypair.name, ...key }
  const stored = await db.transaction(async (trx) => {
    const inserted = await insertKeypair(trx, row)
    await checkQuota(trx, { projectId: projectOf(caller), userId })
    return inserted
  })
  const shown = {
    ...view(stored, version),
    user_id: userId,
    ...(privateKey === null ? {} : { private_key: privateKey }),
  }
  return { status: version >= 2 ? 201 : 200, body: { keypair: shown } }
}

export async function index(call: Call): Promise<Reply> {
  refuseParameters(call.query, ['user_id', 'limit', 'marker'], call.version)
  const page = call.version >= 35 ? pageOf(call.query) : { limit: maxLimit, marker: null }
  const userId = ownerOf(call, call.query.get('user_id'))
  if (page.marker !== null)
    await getKeypair(call.db, userId, page.marker).catch((error: unknown) => {
      throw error instanceof NotFound
        ? new Invalid(`marker [${String(page.marker)}] not found`, { cause: error })
        : error
    })
  const rows = await listKeypairs(call.db, userId, page)
  const href =
    call.version >= 35
      ? nextHref(
          call,
          page,
          rows.map((row) => row.name),
        )
      : null
  return {
    status: 200,
    body: { keypairs: rows.map((row) => ({ keypair: view(row, call.version) })), ...linksField('keypairs', href) },
  }
}

export async function show(call: Call): Promise<Reply> {
  const row = await getKeypair(call.db, ownerOf(call, call.query.get('user_id')), call.params.name ?? '')
  const keypair = {
    ...view(row, call.version),
    user_id: row.userId,
    id: row.number,
    created_at: row.createdAt.toISOString().replace('Z', '000'),
    updated_at: null,
    deleted: false,
    deleted_at: null,
  }
  return { status: 200, body: { keypair } }
}

export async function remove(call: Call): Promise<Reply> {
  await deleteKeypair(call.db, ownerOf(call, call.query.get('user_id')), call.params.name ?? '')
  return { status: call.version >= 2 ? 204 : 202 }
}
