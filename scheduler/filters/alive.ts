import { stateOf } from '../../db/host-status.ts'
import type { Filter } from '../question.ts'

/** A host whose engine, switch or disk is in trouble is as good as down for a new server. */
export const alive: Filter = () => (host) => {
  const { state, reason } = stateOf(host)
  return state === 'down' ? reason : host.problem
}
