/** What a host sees of one network: between API and agent. */
import { z } from 'zod'

export const sightings = z.object({
  /** ports of guests that stand on the host, whether a row knows them or not */
  ports: z.array(
    z.object({
      port_id: z.string(),
      device: z.string(),
      mac: z.string().nullable(),
      vlan: z.number().nullable(),
      error: z.string().nullable(),
      /** the guest's own end; null when there is none */
      guest: z.object({ mac: z.string(), addresses: z.array(z.string()) }).nullable(),
    }),
  ),
  /** who answered on the wire */
  answers: z.array(z.object({ address: z.string(), macs: z.array(z.string()) })),
  /** how many addresses the wire was asked for */
  asked: z.number(),
})
export type Sightings = z.output<typeof sightings>
