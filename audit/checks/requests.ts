import { closeEvent, openEvents, silentRequests } from '../../db/drift.ts'
import type { Check } from '../check.ts'

export const requests: Check = {
  name: 'requests',
  holds: 'every acknowledged request is under way, or has ended with a result',
  async run({ db }) {
    return [
      ...(await openEvents(db)).map(({ eventId, serverId, requestId, event }) => ({
        text: `event ${eventId} (${event} of ${requestId}, server ${serverId}) began and never ended`,
        remedy: 'the event ends in error',
        repair: () => closeEvent(db, eventId),
      })),
      ...(await silentRequests(db)).map(({ serverId, requestId, action }) => ({
        text: `request ${requestId} (${action} of server ${serverId}) was acknowledged, and nothing came of it`,
        advice: `repeat the ${action}`,
      })),
    ]
  },
}
