import { expect, test } from '@jest/globals'
import { LostHosts } from '../../scheduler/lost-hosts.ts'

const second = 1000

function row(name: string, heartbeatSeconds: number): { name: string; heartbeatAt: Date } {
  return { name, heartbeatAt: new Date(heartbeatSeconds * second) }
}

test('a host is lost for as long as its last sign of life was looked at', () => {
  const lost = new LostHosts()
  expect(lost.look([row('a', 0)], 0).get('a')).toBe(0)
  lost.look([row('a', 0)], 20 * second)
  expect(lost.look([row('a', 0)], 40 * second).get('a')).toBe(40)
  expect(lost.look([row('a', 41)], 45 * second).get('a')).toBe(0)
  expect(lost.look([row('a', 41)], 50 * second).get('a')).toBe(5)
})

test('while nobody could look no host was lost', () => {
  const lost = new LostHosts()
  lost.look([row('a', 0)], 0)
  expect(lost.look([row('a', 0)], 3600 * second).get('a')).toBe(0)
  expect(lost.look([row('a', 0)], 3605 * second).get('a')).toBe(5)
})

test('a clock of the database that jumps makes no host lost', () => {
  const lost = new LostHosts()
  lost.look([row('a', 3600)], 0)
  expect(lost.look([row('a', 5)], 5 * second).get('a')).toBe(0)
  expect(lost.look([row('a', 7205)], 10 * second).get('a')).toBe(0)
})
