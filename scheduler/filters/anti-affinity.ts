import type { Filter } from '../question.ts'

export const antiAffinity: Filter = ({ neighbours: { group, members } }) => {
  if (group?.policy !== 'anti-affinity') return null
  const most = group.maxServerPerHost ?? 1
  return (host) => {
    const present = members.get(host.name) ?? 0
    return present < most ? null : `${present} of the group's servers stand on it, ${most} at most may`
  }
}
