/** Values as Neutron takes them: a number or a truth may be written as text. */
import { z } from 'zod'

export const flag = z.union([z.boolean(), z.stringbool()])

function fromText(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
}

/** A whole number that `schema` takes. */
export function whole<S extends z.ZodType>(schema: S) {
  return z.preprocess(fromText, schema)
}
