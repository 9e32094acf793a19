import type { Check } from '../check.ts'

export const limits: Check = {
  name: 'limits',
  holds: 'each row of ours that limits what a port of Open vSwitch sends (QoS, Queue) is of a port that is there',
  async run({ bridge }) {
    if (bridge === null) return []
    const limited = await bridge.limited()
    const present = new Set((await bridge.ports()).map(({ device }) => device))
    return limited
      .filter((device) => !present.has(device))
      .map((device) => ({
        text: `Open vSwitch keeps a limit for port ${device}, which is not there`,
        remedy: 'its rows are removed',
        repair: () => bridge.setLimit(device, null),
      }))
  },
}
