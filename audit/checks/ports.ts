import { strayPorts } from '../../db/drift.ts'
import type { Check } from '../check.ts'

export const ports: Check = {
  name: 'ports',
  holds: 'a port that is bound to a server is on the host of that server, and the server lives',
  async run({ db }) {
    return (await strayPorts(db)).map(({ portId, serverId, reason }) => ({
      text: `port ${portId} is bound to server ${serverId}: ${reason}`,
      advice: 'openstack port delete, or port unset --device',
    }))
  },
}
