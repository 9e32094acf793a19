/** What the kernel has of our tables, as `nft -j` tells it. Source: libnftables-json(5) */
import { z } from 'zod'
import { fixedChains } from './tables.ts'

/** Set -> key -> value ('' in a set that is no map), in the words of nft(8) without quotes. */
export type Elements = Map<string, Map<string, string>>

/** Our tables as they stand: sets with what is in them, and the names of what is made and dropped. */
export interface Listing {
  readonly elements: Elements
  /** of family inet, made for groups and ports */
  readonly chains: ReadonlySet<string>
  readonly sets: ReadonlySet<string>
}

const scalar = z.union([z.string(), z.number()])
const prefix = z.object({ prefix: z.object({ addr: z.string(), len: z.number() }) })
const range = z.object({ range: z.tuple([scalar, scalar]) })
const part = z.union([scalar, prefix, range])
const key = z.union([part, z.object({ concat: z.array(part) })])
const verdict = z.union([
  z.object({ jump: z.object({ target: z.string() }) }),
  z.object({ goto: z.object({ target: z.string() }) }),
  z.object({ drop: z.null() }),
  z.object({ accept: z.null() }),
])
const element = z.union([z.tuple([key, z.union([scalar, verdict])]), key])
const named = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  elem: z.array(element).optional(),
})
const ruleset = z.object({
  nftables: z.array(z.object({ set: named.optional(), map: named.optional(), chain: named.optional() })),
})

function partText(one: z.output<typeof part>): string {
  if (typeof one !== 'object') return String(one)
  if ('prefix' in one) return `${one.prefix.addr}/${one.prefix.len}`
  return `${one.range[0]}-${one.range[1]}`
}

function keyText(one: z.output<typeof key>): string {
  return typeof one === 'object' && 'concat' in one ? one.concat.map(partText).join(' . ') : partText(one)
}

function valueText(one: string | number | z.output<typeof verdict>): string {
  if (typeof one !== 'object') return String(one)
  if ('jump' in one) return `jump ${one.jump.target}`
  if ('goto' in one) return `goto ${one.goto.target}`
  return 'drop' in one ? 'drop' : 'accept'
}

/** @param texts what `nft -j list table` says of each of our tables */
export function listingOf(texts: readonly string[], owner: string): Listing {
  const rows = texts.flatMap((text) => ruleset.parse(JSON.parse(text)).nftables)
  const elements: Elements = new Map()
  const [chains, sets] = [new Set<string>(), new Set<string>()]
  for (const { set, map, chain } of rows) {
    const row = set ?? map
    if (row?.table === owner && !row.name.startsWith('__')) {
      const entries = (row.elem ?? []).map((one): [string, string] =>
        Array.isArray(one) ? [keyText(one[0]), valueText(one[1])] : [keyText(one), ''],
      )
      elements.set(row.name, new Map(entries))
      if (row.name.includes('-')) sets.add(row.name)
    }
    if (chain?.table === owner && chain.family === 'inet' && !fixedChains.has(chain.name)) chains.add(chain.name)
  }
  return { elements, chains, sets }
}
