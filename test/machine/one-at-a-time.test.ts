import { expect, test } from '@jest/globals'
import { oneAtATime } from '../../machine/one-at-a-time.ts'

test('who comes second to a home is told who is at work, and does nothing', async () => {
  const done: string[] = []
  const home = '/var/lib/of-nobody'
  await oneAtATime(home, 'up', async () => {
    const second = oneAtATime(home, 'down', () => Promise.resolve(void done.push('second')))
    await expect(second).rejects.toThrow(`${home} already (up, pid ${process.pid}); nothing was changed`)
    await oneAtATime(`${home}-else`, 'up', () => Promise.resolve(void done.push('elsewhere')))
  })
  await oneAtATime(home, 'down', () => Promise.resolve(void done.push('afterwards')))
  expect(done).toEqual(['elsewhere', 'afterwards'])
})

test('work that failed leaves the home to the next', async () => {
  const home = '/var/lib/of-nobody'
  await expect(oneAtATime(home, 'up', () => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk')
  await oneAtATime(home, 'up', () => Promise.resolve())
})
