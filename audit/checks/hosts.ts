import { ailingHosts } from '../../db/drift.ts'
import type { Check } from '../check.ts'

export const hosts: Check = {
  name: 'hosts',
  holds: 'the agent of each enabled host is alive, and its parts answer',
  async run({ db }) {
    return (await ailingHosts(db)).map(({ host, reason }) => ({
      text: `host ${host}: ${reason}`,
      advice: './berth status and ./berth logs on that host',
    }))
  },
}
