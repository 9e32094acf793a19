import { expect, test } from '@jest/globals'
import { Silence } from '../../scheduler/silence.ts'

const noon = Date.UTC(2030, 0, 1, 12)
const hour = 3_600_000

/** A row as the database tells it: its own clock says when the last sign of life came, and how long ago that is. */
function row(heartbeatMs: number, nowMs: number): { name: string; heartbeatAt: Date; silentSeconds: number } {
  return { name: 'a', heartbeatAt: new Date(heartbeatMs), silentSeconds: (nowMs - heartbeatMs) / 1000 }
}

test('a host is as silent as the database says while its clock goes on as ours does', () => {
  const silence = new Silence()
  expect(silence.of(row(noon, noon + 2000), 0)).toBe(2)
  expect(silence.of(row(noon, noon + 92_000), 90_000)).toBe(92)
  expect(silence.of(row(noon + 95_000, noon + 96_000), 94_000)).toBe(1)
})

test('a clock that jumps an hour ahead makes no host silent that spoke a moment ago', () => {
  const silence = new Silence()
  silence.of(row(noon, noon + 2000), 0)
  expect(silence.of(row(noon, noon + hour + 5000), 3000)).toBe(5)
  expect(silence.of(row(noon + 4000, noon + hour + 6000), 4000)).toBe(1)
})

test('a clock that jumps an hour back lets no dead host pass for alive', () => {
  const silence = new Silence()
  silence.of(row(noon, noon + 2000), 0)
  expect(silence.of(row(noon, noon - hour), 10_000)).toBe(12)
  expect(silence.of(row(noon, noon - hour + 90_000), 100_000)).toBe(102)
})

test('of a host never read before the database is believed', () => {
  expect(new Silence().of(row(noon, noon + hour), 0)).toBe(3600)
})
