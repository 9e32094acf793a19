/** The figures of a guest, as the agent of its host says them. */
import { z } from 'zod'

const traffic = z.object({ bytes: z.number(), packets: z.number(), errors: z.number(), dropped: z.number() })
export const diagnosis = z.object({
  guest: z
    .object({
      cpuNanoseconds: z.number(),
      memoryUsedMiB: z.number(),
      memoryLimitMiB: z.number(),
      disk: z.object({
        readBytes: z.number(),
        readRequests: z.number(),
        writeBytes: z.number(),
        writeRequests: z.number(),
      }),
      uptimeSeconds: z.number(),
    })
    .nullable(),
  nics: z.array(z.object({ device: z.string(), mac: z.string(), received: traffic, sent: traffic })),
})
export type Figures = z.output<typeof diagnosis>
