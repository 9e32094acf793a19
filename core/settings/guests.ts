import { z } from 'zod'

/** What a host promises to guests, and how long it waits for them. */
export const guests = {
  cpuRatio: z.coerce
    .number()
    .positive()
    .default(64)
    .describe('virtual CPUs promised per CPU: an idle container costs none, and quotas share what there is'),
  memoryRatio: z.coerce.number().positive().default(1.5).describe("memory promised per memory: Nova's default"),
  diskRatio: z.coerce.number().positive().default(1).describe('disk promised per disk'),
  reservedMemoryMiB: z.coerce
    .number()
    .int()
    .min(0)
    .default(512)
    .describe("MiB kept for the host itself: Nova's default"),
  reservedVcpus: z.coerce.number().int().min(0).default(0).describe('CPUs kept for the host itself, before cpuRatio'),
  reservedDiskGiB: z.coerce.number().int().min(0).default(0).describe('GiB kept for the host itself, before diskRatio'),
  diskReserveMiB: z.coerce
    .number()
    .int()
    .min(0)
    .default(2048)
    .describe(
      'MiB of the disk that guests share that stay free: below, no new guest comes, and the one that grows fastest is paused',
    ),
  pidsLimit: z.coerce
    .number()
    .int()
    .min(64)
    .default(2048)
    .describe('processes and threads of one guest: a fork bomb stays inside'),
  stopGraceSeconds: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe("seconds a guest gets to shut down before it is killed: Nova's default"),
  bootTimeoutSeconds: z.coerce
    .number()
    .int()
    .min(5)
    .default(120)
    .describe('seconds a create may take on a host before it counts as failed'),
  startConcurrency: z.coerce
    .number()
    .int()
    .min(1)
    .default(4)
    .describe('guests started at once on a host: container starts are CPU-bound'),
  reclaimSeconds: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("seconds that a deleted server can still be restored; 0 = deleted at once: Nova's default"),
  backupsAtOnce: z.coerce
    .number()
    .int()
    .min(1)
    .default(2)
    .describe('backups that one host takes at once by policy: each copies a disk'),
  heartbeatSeconds: z.coerce
    .number()
    .positive()
    .default(5)
    .describe('seconds between two signs of life of an agent, or of a scheduler'),
  reconcileSeconds: z.coerce
    .number()
    .positive()
    .default(30)
    .describe('seconds between two full comparisons of rows with the host'),
  moveTransport: z
    .enum(['delta', 'registry'])
    .default('delta')
    .describe(
      'how the disks of servers come to this host: delta = from the source itself, most of it while the guest runs, where both hosts can; registry = as an image, while it is off',
    ),
  shelvedOffloadSeconds: z.coerce
    .number()
    .int()
    .min(-1)
    .default(0)
    .describe(
      "seconds a shelved server keeps its place on the host: Nova's shelved_offload_time; 0 = none, -1 = for ever",
    ),
}
