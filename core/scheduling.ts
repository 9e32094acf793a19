/** What a host is asked and weighed by when a server looks for one: the names that settings choose from. */

export const filterNames = [
  'alive',
  'enabled',
  'zone',
  'aggregate',
  'traits',
  'same-host',
  'different-host',
  'affinity',
  'anti-affinity',
  'capacity',
  'image-present',
] as const
export type FilterName = (typeof filterNames)[number]

export const weigherNames = [
  'soft-affinity',
  'spread',
  'pack',
  'free-memory',
  'load',
  'image-present',
  'subnet-balance',
] as const
export type WeigherName = (typeof weigherNames)[number]

export type Weights = ReadonlyMap<WeigherName, number>

function isWeigher(name: string): name is WeigherName {
  return weigherNames.some((one) => one === name)
}

/** @returns the weigher and its weight of a text such as 'spread=1'; null when it is no such text */
export function parseWeight(text: string): readonly [WeigherName, number] | null {
  const [name = '', weight = '', ...rest] = text.split('=')
  const number = Number(weight)
  if (rest.length > 0 || weight.trim() === '' || !Number.isFinite(number) || number < 0 || !isWeigher(name)) return null
  return [name, number]
}

/** The last word on a weigher counts; those of weight 0 are left out. */
export function weightsOf(texts: readonly string[]): Weights {
  const all = new Map(texts.map(parseWeight).filter((one) => one !== null))
  return new Map([...all].filter(([, weight]) => weight > 0))
}
