/** What a user tells the scheduler beside the server. Source: nova/api/openstack/compute/schemas/servers.py, _hints. */
import { z } from 'zod'

const some = z.union([z.uuid(), z.array(z.uuid())])

/** Hints of other names are taken and kept: Nova lets an operator's own filters read them. */
export const hints = z.looseObject({
  group: z.uuid().nullable().optional(),
  different_host: some.optional(),
  same_host: some.optional(),
  query: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  target_cell: z.string().min(1).max(255).optional(),
  different_cell: z.union([z.string(), z.array(z.string())]).optional(),
  build_near_host_ip: z.union([z.ipv4(), z.ipv6()]).optional(),
  cidr: z
    .string()
    .regex(/^\/[0-9a-f.:]+$/)
    .optional(),
})
export type Hints = z.output<typeof hints>
