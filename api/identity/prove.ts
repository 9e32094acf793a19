/** Who asks for a token: by a password, by another token, or by an application credential. */
import { Forbidden, Unauthenticated } from '../../core/errors.ts'
import type { Db } from '../../db/connect.ts'
import { findCredentialSecret } from '../../db/identity/application-credentials.ts'
import { findBearer, type Bearer } from '../../db/identity/tokens.ts'
import { findEnabledUser } from '../../db/identity/users.ts'
import { isPassword } from '../../db/password.ts'
import type { ApplicationCredentialRow, UserRow } from '../../db/tables.ts'
import type { OpenCall } from '../route.ts'
import { guarded } from './login-guard.ts'
import { named } from './names.ts'
import type { CredentialName, TokenBody, UserName } from './token-body.ts'

/** Whoever proved to be a user, and how. */
export interface Proof {
  readonly user: UserRow
  readonly methods: readonly string[]
  /** the token that was the proof */
  readonly bearer: Bearer | null
  readonly credential: ApplicationCredentialRow | null
}

async function userOf(db: Db, name: UserName): Promise<UserRow | null> {
  const full = await named(db, name)
  return full ? await findEnabledUser(db, full) : null
}

/** The name under which failures are counted; whether there is such a user makes no difference. */
function countedAs(name: UserName): string {
  return 'id' in name ? name.id : `${JSON.stringify(name.domain)} ${name.name}`
}

/** @throws Unauthenticated, TooManyAttempts */
export async function provePassword(call: OpenCall, name: UserName, password: string): Promise<UserRow> {
  return await guarded(call, countedAs(name), async () => {
    const user = await userOf(call.db, name)
    return (await isPassword(user?.passwordHash ?? null, password)) ? user : null
  })
}

async function proveToken({ db }: OpenCall, token: string): Promise<Proof> {
  const bearer = await findBearer(db, token)
  const user = bearer ? await findEnabledUser(db, { id: bearer.userId }) : null
  if (!bearer || !user) throw new Unauthenticated()
  if (bearer.applicationCredentialId !== null)
    throw new Forbidden('A token made of an application credential makes no further tokens.')
  return { user, methods: [...new Set(['token', ...bearer.methods])], bearer, credential: null }
}

async function credentialNamed(db: Db, name: CredentialName): Promise<ApplicationCredentialRow | null> {
  if ('id' in name) return await findCredentialSecret(db, { id: name.id })
  const user = await userOf(db, name.user)
  return user ? await findCredentialSecret(db, { userId: user.id, name: name.name }) : null
}

async function proveCredential(call: OpenCall, name: CredentialName): Promise<Proof> {
  const who = 'id' in name ? name.id : `${name.name} of ${countedAs(name.user)}`
  return await guarded(call, `credential ${who}`, async () => {
    const credential = await credentialNamed(call.db, name)
    const isRight = await isPassword(credential?.secretHash ?? null, name.secret)
    const isOver = credential?.expiresAt !== null && (credential?.expiresAt.getTime() ?? 0) <= Date.now()
    const user = credential ? await findEnabledUser(call.db, { id: credential.userId }) : null
    if (!isRight || isOver || !user) return null
    return { user, credential, methods: ['application_credential'], bearer: null }
  })
}

/**
 * One answer to everything that is wrong, so that nobody learns which names exist.
 *
 * @throws Unauthenticated, TooManyAttempts
 */
export async function prove(call: OpenCall, identity: TokenBody['identity']): Promise<Proof> {
  const { methods, password, token, application_credential: credential } = identity
  // Several methods would each have to hold; clients send one.
  if (methods.length !== 1) throw new Unauthenticated('One method of authentication at a time is supported.')
  if (methods.includes('password') && password) {
    const user = await provePassword(call, password.user, password.user.password)
    return { user, methods: ['password'], bearer: null, credential: null }
  }
  if (methods.includes('token') && token) return await proveToken(call, token.id)
  if (methods.includes('application_credential') && credential) return await proveCredential(call, credential)
  throw new Unauthenticated()
}
