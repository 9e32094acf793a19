/** How the tests are shared among rooms, and what a run of every fault leaves in the documentation. */
import { expect, test } from '@jest/globals'
import { faultTable, withFaultTable } from '../../machine/fault-table.ts'
import { roundsOf } from '../../machine/test-rounds.ts'
import Sequencer from '../world/sequencer.ts'

const context = { config: { rootDir: '/project' } }
const files = [
  'test/core/config',
  'test/faults/chaos',
  'test/journeys/server',
  'test/journeys/actions',
  'test/db/schema',
].map((name) => ({ path: `/project/${name}.test.ts`, context }))

test('the whole suite goes through two rooms; each file is in one share, and the longest of a share comes first', () => {
  const [round, ...others] = roundsOf([])
  expect(others).toEqual([])
  expect(round?.map(({ shard }) => shard)).toEqual(['1/2', '2/2'])
  // A hundred moves are for a run of every fault.
  expect(round?.flatMap(({ but }) => but)).toEqual(['test/faults/moves', 'test/faults/moves'])
  const sequencer = new Sequencer()
  const shares = [1, 2].map((shardIndex) => sequencer.shard(files, { shardIndex, shardCount: 2 }))
  expect(new Set(shares.flat())).toEqual(new Set(files))
  expect(shares.flat()).toHaveLength(files.length)
  const first = shares.map((share) => sequencer.sort(share)[0]?.path)
  expect(first).toEqual(['/project/test/faults/chaos.test.ts', '/project/test/journeys/server.test.ts'])
})

test('guests that fill the machine are tried when all else is over', () => {
  const [together, alone] = roundsOf(['faults'])
  const names = alone?.flatMap(({ paths }) => paths)
  expect(names).toEqual(['test/faults/density', 'test/faults/hostile', 'test/netns/many-ports'])
  for (const { but } of together ?? []) expect(but).toEqual(names)
})

test('the faults of one file are named by it, wherever it stands', () => {
  const pathsOf = (word: string) => roundsOf([word])[0]?.[0]?.paths
  expect(pathsOf('faults/parts')).toEqual(['test/faults/parts'])
  expect(pathsOf('faults/join')).toEqual(['test/journeys/join'])
  expect(pathsOf('faults/many-ports')).toEqual(['test/netns/many-ports'])
})

test('a table takes the place of the one in the text, and all else stays', () => {
  const of = (fault: string): string => faultTable([{ fault, healMs: 1500, lost: 0, left: 1 }])
  expect(of('old')).toContain('| old | 1 | 1.5 s | 0 | 1 |\n')
  const text = `Before.\n\n${of('old')}\nAfter.\n`
  expect(withFaultTable(text, of('new'))).toBe(`Before.\n\n${of('new')}\nAfter.\n`)
  expect(withFaultTable('No table.', of('new'))).toBe('No table.')
})
