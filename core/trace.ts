/** What is asked and told of a port's way through its host; between API and agent, and to users. */
import { z } from 'zod'

export const tracedProtocols = ['tcp', 'udp', 'icmp'] as const

/** A new connection to another port; `port` is of TCP and UDP. */
export const traceQuery = z.object({
  to: z.uuid(),
  family: z.coerce.number().int().default(4),
  protocol: z.enum(tracedProtocols).default('icmp'),
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  /** whether the packet comes from another host: the one that is asked has only its receiver */
  arrives: z.stringbool().default(false),
})
export type TraceQuery = z.output<typeof traceQuery>

/** Where the switch ends a packet; the stage is a table of netns/flows/flow.ts. */
export const wireVerdict = z.object({ passes: z.boolean(), stage: z.string() })
export type WireVerdict = z.output<typeof wireVerdict>

const traffic = z.object({ bytes: z.number(), packets: z.number(), errors: z.number(), dropped: z.number() })

/** A port as it stands on its host. */
export const portState = z.object({
  device: z.string(),
  vlan: z.number().nullable(),
  is_plugged: z.boolean(),
  /** why no frame passes, or null */
  error: z.string().nullable(),
  /** as the guest sees it; null when it is not plugged */
  counters: z.object({ received: traffic, sent: traffic }).nullable(),
})
export type PortState = z.output<typeof portState>
