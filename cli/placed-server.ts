import { z } from 'zod'

/** A server, where it stands and what is done to it, as an administrator is shown it. */
export const placedServer = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  'OS-EXT-SRV-ATTR:host': z.string().nullable(),
  'OS-EXT-STS:task_state': z.string().nullable(),
})
export type PlacedServer = z.output<typeof placedServer>
