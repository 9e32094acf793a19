import type { Filter } from '../question.ts'

/** The first server of a group may go anywhere. */
export const affinity: Filter = ({ neighbours: { group, members } }) =>
  group?.policy !== 'affinity' || members.size === 0
    ? null
    : (host) => (members.has(host.name) ? null : 'the other servers of the group are elsewhere')
