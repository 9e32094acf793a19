/** Fields that several bodies of the identity API have. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'

/** Keystone's form of an id. */
export function newId(): string {
  return randomUUID().replaceAll('-', '')
}

export const nameField = z.string().trim().min(1).max(255)
export const descriptionField = z.string().nullable().optional()
export const tagField = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^,/]*$/)
export const tagsField = z
  .array(tagField)
  .max(80)
  .transform((tags) => [...new Set(tags)])

/** Options change how Keystone treats what has them; none is kept here, so none is taken. */
export const noOptions = z.strictObject({}).optional()
