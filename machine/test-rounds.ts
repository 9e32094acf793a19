/** Which tests run in which room, and when: what waits more than it works goes side by side, what fills the machine goes alone. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/** What one room goes through. */
export interface Share {
  /** files, folders and patterns; none = all there are */
  readonly paths: readonly string[]
  /** of those, the ones that another room has */
  readonly but: readonly string[]
  /** such as '1/2'; null = all that the paths name */
  readonly shard: string | null
}

/** Shares that run at the same time. */
export type Round = readonly Share[]

/** Every fault, also those of a move between two hosts, and of a machine that joins; and as many wires as a host may have. */
const faults = ['test/faults', 'test/journeys/hosts', 'test/journeys/join', 'test/netns/many-ports']
/** A hundred guests, the wires of five hundred, or a guest that does its worst, would spoil what others measure. */
const alone = ['test/faults/density', 'test/faults/hostile', 'test/netns/many-ports']
/** Nothing of these is short: they are tried by `./berth test faults` alone. */
const long = ['test/faults/moves']

function pathOf(word: string): string {
  const name = word.replace(/^faults\//, '')
  if (name !== word) return faults.find((path) => path.endsWith(`/${name}`)) ?? `test/${word}`
  if (word === 'chaos') return 'test/faults/chaos'
  return existsSync(word) ? resolve(word) : word
}

function inTwo(paths: readonly string[], but: readonly string[]): Round {
  return ['1/2', '2/2'].map((shard) => ({ paths, but, shard }))
}

/** Whether these words ask for every fault there is. */
export function isEveryFault(words: readonly string[]): boolean {
  return words.length === 1 && words[0] === 'faults'
}

/** @param words files, folders or patterns, none = all; or 'faults', 'faults/parts', 'chaos' */
export function roundsOf(words: readonly string[]): readonly Round[] {
  if (words.length === 0) return [inTwo([], long)]
  if (isEveryFault(words)) return [inTwo(faults, alone), [{ paths: alone, but: [], shard: null }]]
  return [[{ paths: words.map(pathOf), but: [], shard: null }]]
}
