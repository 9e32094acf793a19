import { mendBooks, strayClaims, unclaimedServers, wrongBooks } from '../../db/drift.ts'
import { releaseClaim } from '../../db/hosts.ts'
import type { Check } from '../check.ts'

export const claims: Check = {
  name: 'claims',
  holds: 'the places promised on hosts are those of the servers that stand there',
  async run({ db }) {
    return [
      ...(await strayClaims(db)).map(({ serverId, host, reason }) => ({
        text: `a place on ${host} is promised to server ${serverId}: ${reason}`,
        remedy: 'the place is free again',
        repair: () => releaseClaim(db, serverId, host),
      })),
      ...(await wrongBooks(db)).map((host) => ({
        text: `the books of ${host} are not the sum of the places that are promised on it`,
        remedy: 'they are written anew',
        repair: () => mendBooks(db, host),
      })),
      ...(await unclaimedServers(db)).map(({ serverId, host }) => ({
        text: `server ${serverId} stands on ${host}, where no place is promised to it`,
        advice: 'the host may be promised more than it has: migrate or delete the server',
      })),
    ]
  },
}
