import { expect, test } from '@jest/globals'
import { Undo } from '../../core/undo.ts'

test('what was built is taken down in reverse order, also when one step fails', async () => {
  const undo = new Undo()
  const done: string[] = []
  undo.add('first', () => Promise.resolve(done.push('first')))
  undo.add('second', () => Promise.reject(new Error('stuck')))
  undo.add('third', () => Promise.resolve(done.push('third')))
  const failed = await undo.rollback()
  expect(done).toEqual(['third', 'first'])
  expect(failed.map(({ what }) => what)).toEqual(['second'])
})

test('nothing is taken down after the whole succeeded', async () => {
  const undo = new Undo()
  let isDown = false
  undo.add('it', () => Promise.resolve((isDown = true)))
  undo.commit()
  await undo.rollback()
  expect(isDown).toBe(false)
})
