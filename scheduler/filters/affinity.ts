import type { Filter } from '../question.ts'

/** The first server of a group may go anywhere. */
export const affinity: Filter =
  ({ neighbours: { group, members } }) =>
  (host) =>
    group?.policy !== 'affinity' || members.size === 0 || members.has(host.name)
      ? null
      : 'the other servers of the group are elsewhere'
