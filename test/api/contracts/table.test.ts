import { expect, test } from '@jest/globals'
import { actions } from '../../../api/compute/actions/index.ts'
import { unmatched } from './walk.ts'

test('every route and every action has a contract, and every contract a route', () => {
  expect(unmatched(Object.keys(actions))).toEqual([])
})
