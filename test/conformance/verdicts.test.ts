import { describe, expect, test } from '@jest/globals'
import { gist, Verdicts } from './verdicts.ts'

const suite = 'tempest.api.compute.test_x.Suite'

function judged(...events: readonly (readonly [test: string, status: string | null, said?: string])[]) {
  const verdicts = new Verdicts()
  for (const [name, status, said = ''] of events) verdicts.add({ test: name, status, said })
  return verdicts.all()
}

describe('what became of a test', () => {
  test('it is told once, without its attributes', () => {
    const name = `${suite}.test_a[id-1,smoke]`
    expect(judged([name, 'exists'], [name, 'inprogress'], [name, 'success'])).toEqual([
      { test: `${suite}.test_a`, outcome: 'passed', said: '' },
    ])
  })

  test('a clean-up that fails after the success is a failure, with both of its pieces of text', () => {
    const name = `${suite}.test_a`
    expect(judged([name, 'success'], [name, null, 'Trace'], [name, null, 'back'], [name, 'fail'])).toEqual([
      { test: name, outcome: 'failed', said: 'Traceback' },
    ])
  })

  test('a test that never ended has failed', () => {
    const name = `${suite}.test_a`
    expect(judged([name, 'exists'], [name, 'inprogress'])).toEqual([
      { test: name, outcome: 'failed', said: 'never ended' },
    ])
  })

  test('the tests of a class that skips are skipped for its reason', () => {
    const events = [
      [`${suite}.test_a[id-1]`, 'exists'],
      [`${suite}.test_b[id-2]`, 'exists'],
      [`setUpClass (${suite})`, 'skip', 'no volumes'],
    ] as const
    expect(judged(...events)).toEqual([
      { test: `${suite}.test_a`, outcome: 'skipped', said: 'no volumes' },
      { test: `${suite}.test_b`, outcome: 'skipped', said: 'no volumes' },
    ])
  })

  test('a class whose tear-down fails is a failure beside its tests', () => {
    const outcomes = judged([`${suite}.test_a`, 'success'], [`tearDownClass (${suite})`, 'fail', 'left open'])
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['failed', 'passed'])
  })
})

test('the gist of a traceback is its last line', () => {
  expect(gist('Traceback (most recent call last):\n  File "x", line 1\nAssertionError: 405 != 200\n\n')).toBe(
    'AssertionError: 405 != 200',
  )
})
