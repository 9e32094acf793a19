import type { BridgePort } from '../../netns/bridge.ts'
import { deliveryKey, type SeenFlows } from '../../netns/flows/seen.ts'
import type { Check, Drift } from '../check.ts'

const advice = 'the agent puts all flows back at its next look, within half a minute; else ./berth logs agent'

/** The flows put the frames of a port into its network, and those for its MAC to it. A port that is down has flows that drop. */
function ofPort({ device, ofport, vlan, externalIds }: BridgePort, flows: SeenFlows): readonly Drift[] {
  const mac = externalIds['attached-mac']
  if (mac === undefined || ofport === null || ofport < 1) return []
  const port = `port ${externalIds['iface-id'] ?? ''} (${device}, OpenFlow number ${ofport})`
  const entrance = flows.entrances.get(ofport)
  const delivery = flows.deliveries.get(deliveryKey(vlan, mac))
  return [
    ...(entrance === undefined || (entrance !== null && entrance !== (vlan ?? 0))
      ? [{ text: `no flow takes what ${port} sends into its network, tag ${vlan ?? 0}`, advice }]
      : []),
    ...(delivery === undefined || (delivery !== null && delivery !== ofport)
      ? [{ text: `no flow brings what is for ${mac} to ${port}`, advice }]
      : []),
  ]
}

export const flows: Check = {
  name: 'flows',
  holds: 'the flows of Open vSwitch are those of its ports: each sends into its network, and has what is for its MAC',
  async run({ bridge, seenFlows }) {
    if (bridge === null || seenFlows === null) return []
    const seen = await seenFlows()
    const [ports, numbers] = [await bridge.ports(), new Set((await bridge.numbers()).values())]
    const stray = [...seen.entrances.keys()].filter((ofport) => !numbers.has(ofport))
    return [
      ...ports.flatMap((port) => ofPort(port, seen)),
      ...stray.map((ofport) => ({ text: `flows stand for OpenFlow number ${ofport}, which no port has`, advice })),
    ]
  },
}
