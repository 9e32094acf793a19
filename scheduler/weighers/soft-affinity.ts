import type { Weigher } from '../question.ts'

/** What a soft policy of its group wishes: near the others, or far from them. */
export const softAffinity: Weigher = (_hosts, { neighbours: { group, members } }) => {
  const most = Math.max(1, ...members.values())
  if (group?.policy === 'soft-affinity') return ({ name }) => (members.get(name) ?? 0) / most
  if (group?.policy === 'soft-anti-affinity') return ({ name }) => 1 - (members.get(name) ?? 0) / most
  return () => 0
}
