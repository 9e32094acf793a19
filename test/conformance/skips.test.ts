import { expect, test } from '@jest/globals'
import { byReason } from './skips.ts'

test('skipped tests stand under what they have in common, those of most tests first', () => {
  const skipped = (name: string, said: string) => ({ test: name, outcome: 'skipped' as const, said })
  const groups = byReason([
    skipped('a', 'VNC Console feature is disabled.'),
    skipped('b', 'BTestJSON skipped as Cinder is not available'),
    { test: 'c', outcome: 'passed', said: '' },
    skipped('d', 'Skipped because the volume service is not available'),
    skipped('e', 'something new'),
  ])
  expect(groups.map(([, tests]) => tests)).toEqual([['b', 'd'], ['a'], ['e']])
  expect(groups.at(-1)?.[0]).toContain('No reason is known')
})
