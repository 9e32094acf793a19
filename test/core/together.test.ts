import { expect, test } from '@jest/globals'
import { Together } from '../../core/together.ts'

function doubling() {
  const calls: { readonly asked: readonly number[]; readonly end: PromiseWithResolvers<null> }[] = []
  const together = new Together(async (asked: readonly number[]) => {
    const end = Promise.withResolvers<null>()
    calls.push({ asked, end })
    await end.promise
    return (question) => question * 2
  })
  const called = async (count: number): Promise<void> => {
    while (calls.length < count) await Promise.resolve()
  }
  return { together, calls, called }
}

test('what comes while a call is under way is asked in the next one, and each is given its own answer', async () => {
  const { together, calls, called } = doubling()
  const first = [together.ask(1), together.ask(2)]
  await called(1)
  const second = [together.ask(3), together.ask(4)]
  calls[0]?.end.resolve(null)
  expect(await Promise.all(first)).toEqual([2, 4])
  await called(2)
  calls[1]?.end.resolve(null)
  expect(await Promise.all(second)).toEqual([6, 8])
  expect(calls.map(({ asked }) => asked)).toEqual([
    [1, 2],
    [3, 4],
  ])
})

test('a call that fails fails those who share it, and nobody after them', async () => {
  const { together, calls, called } = doubling()
  const failing = together.ask(1)
  await called(1)
  const next = together.ask(2)
  calls[0]?.end.reject(new Error('away'))
  await expect(failing).rejects.toThrow('away')
  await called(2)
  calls[1]?.end.resolve(null)
  expect(await next).toBe(4)
})
