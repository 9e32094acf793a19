/** Parts that many bodies are made of. */
import { z } from 'zod'
import { object, type Fields, type Part, type Shape } from './shape.ts'

/** 2026-01-31T00:00:00Z */
export const seconds = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
/** 2026-01-31T00:00:00.000000, without a zone */
export const micros = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
/** 2026-01-31T00:00:00.000000Z */
export const zonedMicros = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
export const text = z.string()
export const whole = z.int()
export const texts = z.array(text)
export const items = z.record(text, text)
export const requestId = z.string().regex(/^req-[0-9a-f-]{36}$/)

export const links = z
  .array(z.strictObject({ rel: z.enum(['self', 'bookmark']), href: z.url() }))
  .min(1)
  .max(2)
export const next = z.tuple([z.strictObject({ rel: z.literal('next'), href: z.url() })])

/** An object with one key, the resource. */
export function one(name: string, part: Part): Shape {
  return object({ [name]: part })
}

/** A page: it says where the next one is, if there may be one. */
export function page(name: string, part: Part, more: Fields = {}): Shape {
  return object({ [name]: part, [`${name}_links`]: next.optional(), ...more })
}
