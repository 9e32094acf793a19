/** Shapes of JSON that change with the microversion: built once, asked for at a version. */
import { z } from 'zod'
import { minorOf, type Microversion } from '../../../api/microversion.ts'

export interface Shape {
  /** the versions at which it is another than before, ascending */
  readonly turns: readonly Microversion[]
  /** null = it is not there at that version */
  readonly at: (version: Microversion) => z.ZodType | null
}

/** A shape, or a schema that never changes. */
export type Part = Shape | z.ZodType
type Version = `2.${number}`

export function shapeOf(part: Part): Shape {
  return 'turns' in part ? part : { turns: [], at: () => part }
}

export function ascending(turns: readonly Microversion[]): readonly Microversion[] {
  return [...new Set(turns)].sort((one, other) => one - other)
}

/** From that version on. */
export function since(version: Version, part: Part): Shape {
  const [first, { turns, at }] = [minorOf(version), shapeOf(part)]
  return {
    turns: ascending([first, ...turns.filter((turn) => turn > first)]),
    at: (asked) => (asked >= first ? at(asked) : null),
  }
}

/** Until that version, which has it no more. */
export function until(version: Version, part: Part): Shape {
  const [end, { turns, at }] = [minorOf(version), shapeOf(part)]
  return {
    turns: ascending([...turns.filter((turn) => turn < end), end]),
    at: (asked) => (asked < end ? at(asked) : null),
  }
}

/** Each part holds from its version until the next one's. */
export function turning(...parts: readonly (readonly [Version, Part])[]): Shape {
  const spans = parts.map(([version, part], place) => {
    const next = parts[place + 1]
    return since(version, next ? until(next[0], part) : part)
  })
  return {
    turns: ascending(spans.flatMap(({ turns }) => turns)).filter((turn) => turn > 1),
    at: (asked) => spans.map(({ at }) => at(asked)).find((schema) => schema !== null) ?? null,
  }
}

function remembered(make: (version: Microversion) => z.ZodType | null): Shape['at'] {
  const made = new Map<Microversion, z.ZodType | null>()
  return (version) => {
    const known = made.get(version)
    if (known !== undefined) return known
    const schema = make(version)
    made.set(version, schema)
    return schema
  }
}

export type Fields = Readonly<Record<string, Part>>

function strictAt(fields: Fields, version: Microversion): z.ZodType {
  const present = Object.entries(fields).flatMap(([name, part]) => {
    const schema = shapeOf(part).at(version)
    return schema === null ? [] : [[name, schema] as const]
  })
  return z.strictObject(Object.fromEntries(present))
}

function turnsOf(fields: Fields): readonly Microversion[] {
  return ascending(Object.values(fields).flatMap((part) => shapeOf(part).turns))
}

/** These fields and no others. */
export function object(fields: Fields): Shape {
  return { turns: turnsOf(fields), at: remembered((version) => strictAt(fields, version)) }
}

/** Either as everybody sees it, or with all that administrators see beside. */
export function forAdmins(fields: Fields, more: Fields): Shape {
  const all = { ...fields, ...more }
  return {
    turns: turnsOf(all),
    at: remembered((version) => z.union([strictAt(fields, version), strictAt(all, version)])),
  }
}

/** One of two. */
export function either(one: Part, other: Part): Shape {
  const [first, second] = [shapeOf(one), shapeOf(other)]
  return {
    turns: ascending([...first.turns, ...second.turns]),
    at: remembered((version) => z.union([first.at(version) ?? z.never(), second.at(version) ?? z.never()])),
  }
}

function changed(part: Part, change: (schema: z.ZodType) => z.ZodType): Shape {
  const { turns, at } = shapeOf(part)
  return {
    turns,
    at: remembered((version) => {
      const schema = at(version)
      return schema && change(schema)
    }),
  }
}

export const list = (part: Part): Shape => changed(part, (schema) => z.array(schema))
export const optional = (part: Part): Shape => changed(part, (schema) => schema.optional())
export const nullable = (part: Part): Shape => changed(part, (schema) => schema.nullable())

/** No body at all. */
export const nothing: Part = z.undefined()
