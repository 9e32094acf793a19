/** The shape of a body as people read it: a line for each field, in the place of a page of JSON Schema. */
import { z } from 'zod'

interface Schema {
  readonly type?: string | readonly string[] | undefined
  readonly properties?: Readonly<Record<string, Schema>> | undefined
  readonly required?: readonly string[] | undefined
  readonly items?: Schema | undefined
  readonly additionalProperties?: boolean | Schema | undefined
  readonly anyOf?: readonly Schema[] | undefined
  readonly oneOf?: readonly Schema[] | undefined
  readonly enum?: readonly unknown[] | undefined
  readonly const?: unknown
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  /** such as 'ipv4', of a string */
  readonly format?: string | undefined
}

const schemaShape: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    type: z.union([z.string(), z.array(z.string())]).optional(),
    properties: z.record(z.string(), schemaShape).optional(),
    required: z.array(z.string()).optional(),
    items: schemaShape.optional(),
    additionalProperties: z.union([z.boolean(), schemaShape]).optional(),
    anyOf: z.array(schemaShape).optional(),
    oneOf: z.array(schemaShape).optional(),
    enum: z.array(z.unknown()).optional(),
    const: z.unknown().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    format: z.string().optional(),
  }),
)

function plain({ type, minimum, maximum, format }: Schema): string {
  const name = format ?? (typeof type === 'string' ? type : (type ?? ['any']).join(' | '))
  const isWide = (limit: number | undefined): boolean => limit === undefined || Math.abs(limit) >= 2 ** 53 - 1
  if (isWide(minimum) && isWide(maximum)) return name
  return `${name}, ${isWide(minimum) ? '' : `from ${minimum}`}${isWide(maximum) ? '' : ` to ${maximum}`}`.trimEnd()
}

function fields({ properties = {}, required = [], additionalProperties }: Schema, indent: string): string {
  const below = `${indent}  `
  const lines = Object.entries(properties).map(
    ([name, inner]) => `${below}${name}${required.includes(name) ? '' : '?'}: ${text(inner, below)}`,
  )
  if (typeof additionalProperties === 'object') lines.push(`${below}[any name]: ${text(additionalProperties, below)}`)
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n${indent}}`
}

function text(schema: Schema, indent: string): string {
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map((one) => text(one, indent)))].join(' | ')
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.type === 'array') return `[${schema.items ? text(schema.items, indent) : ''}]`
  return schema.type === 'object' ? fields(schema, indent) : plain(schema)
}

/** A field that may be missing has a question mark; a list is what stands in brackets, any number of times. */
export function shapeText(shape: z.ZodType, io: 'input' | 'output'): string {
  return text(schemaShape.parse(z.toJSONSchema(shape, { io })), '')
}
