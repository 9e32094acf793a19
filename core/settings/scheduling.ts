import { parse } from 'yaml'
import { z } from 'zod'
import { filterNames, parseWeight, weigherNames } from '../scheduling.ts'

/** In the environment it is one line of YAML. */
const healing = z
  .preprocess(
    (given): unknown => (typeof given === 'string' ? parse(given) : given),
    z
      .strictObject({
        afterSeconds: z.coerce.number().int().min(0).default(0),
        atOnce: z.coerce.number().int().min(1).default(4),
        mostHosts: z.coerce.number().int().min(1).default(1),
        fence: z.array(z.string().min(1)).default([]),
      })
      .refine(({ afterSeconds, fence }) => afterSeconds === 0 || fence.length > 0, {
        error:
          'fence is needed: a host that is silent may run its guests still, beside those that would take their place',
      }),
  )
  .default({ afterSeconds: 0, atOnce: 4, mostHosts: 1, fence: [] })

/** How a host is chosen, by how many processes, and what is done about one that is lost. */
export const scheduling = {
  schedulerFilters: z
    .array(z.enum(filterNames))
    .default(filterNames.filter((name) => name !== 'image-present'))
    .describe(`what a host must pass to get a server; of ${filterNames.join(', ')}`),
  schedulerWeighers: z
    .array(
      z.string().refine((text) => parseWeight(text) !== null, {
        error: `is not NAME=WEIGHT, with one of ${weigherNames.join(', ')} and a number from 0`,
      }),
    )
    .default(['soft-affinity=100', 'spread=1', 'free-memory=1', 'load=0.3', 'image-present=0.1', 'subnet-balance=0.5'])
    .describe(
      'NAME=WEIGHT: which of the hosts that passed is best; each gives 0 to 1, times its weight. spread=0 with pack=1 fills hosts one by one',
    ),
  schedulers: z.coerce
    .number()
    .int()
    .min(1)
    .max(9)
    .default(1)
    .describe(
      'scheduler processes here, all at work at once: one does until placing a server takes longer than booting it',
    ),
  apis: z.coerce
    .number()
    .int()
    .min(1)
    .max(9)
    .default(1)
    .describe('API processes here, on one port among which the kernel shares connections'),
  processNumber: z.coerce
    .number()
    .int()
    .min(1)
    .default(1)
    .describe('which of several processes of its kind on this host this is; the launcher sets it'),
  rack: z
    .string()
    .regex(/^[\w.-]+$/)
    .nullable()
    .default(null)
    .describe('what this host loses power and network together with; addresses of a subnet are spread over racks'),
  healing: healing.describe(
    'afterSeconds: a host that is silent for so long is fenced and its servers evacuated, 0 = nobody does it but you; atOnce: how many of its servers at a time; mostHosts: when more hosts than these are silent nothing is done, since the network is to blame rather than they; fence: the command that cuts a host off, with {host} for its name, which must succeed first',
  ),
}
