/** What a look for images that nobody needs found, or took away: told by agents, shown by the API. */
import { z } from 'zod'

const hostSweep = z.object({
  /** digests of images that left the host, or would */
  removed: z.array(z.string()),
  /** digests that have been idle for long enough, and stay since a guest may be made of them */
  in_use: z.array(z.string()),
  bytes: z.number(),
})
export type HostSweep = z.output<typeof hostSweep>

const registrySweep = z.object({
  /** repository@digest */
  removed: z.array(z.string()),
  /** found without a reference, not for long enough */
  waiting: z.number(),
  bytes: z.number(),
  /** whether blobs are swept too; elsewhere the registry's own operator does it */
  sweeps_blobs: z.boolean(),
})
export type RegistrySweep = z.output<typeof registrySweep>

export const imageSweep = z.object({
  images: hostSweep,
  /** null where another host looks after the registry, or somebody writes to it just now */
  registry: registrySweep.nullable(),
})
export type ImageSweep = z.output<typeof imageSweep>
