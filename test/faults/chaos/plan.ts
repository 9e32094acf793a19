/** What happens in a random run, and when: told by the seed alone. */

export const parts = [
  'api',
  'scheduler',
  'agent',
  'docker',
  'postgres',
  'ovs-vswitchd',
  'ovsdb-server',
  'lxcfs',
  'registry',
] as const
export type Part = (typeof parts)[number]

export const requests = ['delete', 'stop', 'start', 'reboot', 'reboot-hard'] as const
export type Request = (typeof requests)[number]

export type Step = { readonly afterMs: number } & (
  | { readonly kind: 'create'; readonly name: string }
  /** of the servers that are there, the one at `pick` of their number */
  | { readonly kind: 'request'; readonly request: Request; readonly pick: number }
  | { readonly kind: 'kill'; readonly part: Part }
  | { readonly kind: 'freeze'; readonly part: Part; readonly forMs: number }
)

/** Numbers in [0, 1), the same ones for the same seed. Source: mulberry32, by Tommy Ettinger (public domain) */
export function numbersOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function pickOf<T>(all: readonly T[], number: number): T {
  const picked = all[Math.floor(number * all.length)]
  if (picked === undefined) throw new RangeError('nothing to pick from')
  return picked
}

/** Of a hundred steps */
const shares = { create: 34, request: 40, kill: 18 } as const
const longestRestMs = 2500
const frozenMs = { least: 2000, most: 15_000 } as const

function stepOf(index: number, random: () => number): Step {
  const afterMs = Math.round(random() * longestRestMs)
  const share = random() * 100
  if (share < shares.create) return { afterMs, kind: 'create', name: `chaos-${index}` }
  if (share < shares.create + shares.request)
    return { afterMs, kind: 'request', request: pickOf(requests, random()), pick: random() }
  const part = pickOf(parts, random())
  if (share < shares.create + shares.request + shares.kill) return { afterMs, kind: 'kill', part }
  const forMs = Math.round(frozenMs.least + random() * (frozenMs.most - frozenMs.least))
  return { afterMs, kind: 'freeze', part, forMs }
}

/** The steps of this seed, without end. */
export function* stepsOf(seed: number): Generator<Step, never> {
  const random = numbersOf(seed)
  for (let index = 0; ; index++) yield stepOf(index, random)
}
