import { hash, verify } from '@node-rs/argon2'

/** argon2id with the library's parameters: those that OWASP recommends. */
export async function hashPassword(password: string): Promise<string> {
  return await hash(password)
}

/** A digest that no password has: checked where there is no user, so that an answer takes as long as with one. */
const nobody = '$argon2id$v=19$m=19456,t=2,p=1$MDAwMDAwMDAwMDAwMDAwMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

/** @param passwordHash null when there is no such user: false, after as long a time */
export async function isPassword(passwordHash: string | null, password: string): Promise<boolean> {
  const matches = await verify(passwordHash ?? nobody, password)
  return matches && passwordHash !== null
}
