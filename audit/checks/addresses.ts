import { sharedAddresses, strayAddresses } from '../../db/drift.ts'
import { releaseOne } from '../../ipam/release.ts'
import type { Check } from '../check.ts'

export const addresses: Check = {
  name: 'addresses',
  holds: 'an address of a network is on one port at most, and that port is there and in that network',
  async run({ db }) {
    const shared = await sharedAddresses(db)
    const stray = await strayAddresses(db)
    return [
      ...shared.map(({ networkId, address, portIds }) => ({
        text: `address ${address} of network ${networkId} is on ports ${portIds.join(' and ')}`,
        advice: 'delete one of the ports',
      })),
      ...stray.map(({ subnetId, address, portId, reason }) => ({
        text: `address ${address} of subnet ${subnetId} is held by port ${portId}: ${reason}`,
        remedy: 'the address is given back',
        repair: () => db.transaction((trx) => releaseOne(trx, { portId, subnetId, address })),
      })),
    ]
  },
}
