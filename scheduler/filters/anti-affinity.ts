import type { Filter } from '../question.ts'

export const antiAffinity: Filter =
  ({ neighbours: { group, members } }) =>
  (host) => {
    if (group?.policy !== 'anti-affinity') return null
    const present = members.get(host.name) ?? 0
    const most = group.maxServerPerHost ?? 1
    return present < most ? null : `${present} of the group's servers stand on it, ${most} at most may`
  }
