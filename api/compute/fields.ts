/** Fields that many bodies have. Source: nova/api/validation/parameter_types.py. */
import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { minorOf, type Microversion } from '../microversion.ts'

const printable = /^[^\p{C}\p{Zl}\p{Zp}]*$/u

/** A name of anything: printable, without spaces around it. */
export const fieldName = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => text.trim() === text && printable.test(text), {
    error: 'printable characters. Can not start or end with whitespace.',
  })

/** As `fieldName`, but spaces around it are dropped. */
export const looseName = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => text.trim() !== '' && printable.test(text), {
    error: 'printable characters with at least one non space character',
  })
  .transform((text) => text.trim())

/** A name of a zone: without the sign that parts a zone from a host. */
export const zoneName = fieldName.refine((text) => !text.includes(':'), {
  error: 'printable characters except :.Can not start or end with whitespace.',
})

/** Of several lines, if need be. */
export const description = z
  .string()
  .max(255)
  .refine((text) => printable.test(text.replace(/\s/g, '')), { error: 'printable characters' })
  .nullable()

/** chpasswd reads lines: a password of several would be several users' passwords. */
export const adminPassword = z
  .string()
  .max(255)
  .regex(/^[^\r\n\0]*$/)

const label = '[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
/** With its domain from 2.94 on. Source: RFC 1035 */
export const hostname = z
  .string()
  .max(255)
  .regex(new RegExp(`^${label}(\\.${label})*$`))

/** @throws Invalid for a domain before 2.94 */
export function checkHostname(name: string | undefined, version: Microversion): void {
  if (name?.includes('.') && version < minorOf('2.94'))
    throw new Invalid(`Invalid input for field/attribute hostname. Value: ${name}. '${name}' is no plain label`)
}

/** Booleans, or the words that Nova takes for them. */
export const bool = z.union([
  z.boolean(),
  z.enum(['True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes']).transform(() => true),
  z.enum(['False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']).transform(() => false),
])

/** The largest whole number that is kept. */
export const largest = 2_147_483_647

/** A whole number, or one written as text. */
export function whole(least: number) {
  return z
    .union([
      z.int(),
      z
        .string()
        .regex(/^-?\d+$/)
        .transform(Number),
    ])
    .pipe(z.number().min(least).max(largest))
}

/** A host, by its name. */
export const hostName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[a-zA-Z0-9-._]*$/)

/** Items of metadata; null takes one away. */
export const metadataOrNull = z.record(z.string().regex(/^[a-zA-Z0-9-_:. ]{1,255}$/), z.string().max(255).nullable())

/** A word that a user puts on a server. Source: nova/api/validation/parameter_types.py, tag. */
export const serverTag = z
  .string()
  .min(1)
  .max(60)
  .regex(/^[^,/]*$/)
/** The most tags that a server has. */
export const mostTags = 50
export const serverTags = z.array(serverTag).max(mostTags)
