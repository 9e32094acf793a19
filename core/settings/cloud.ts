import { hostname } from 'node:os'
import { parse } from 'yaml'
import { z } from 'zod'

/** In the environment it is one line of YAML. */
const identity = z
  .preprocess(
    (given): unknown => (typeof given === 'string' ? parse(given) : given),
    z.strictObject({
      keystone: z
        .url({ protocol: /^https?$/ })
        .nullable()
        .default(null),
      cacheSeconds: z.coerce.number().int().min(0).max(3600).default(60),
    }),
  )
  .default({ keystone: null, cacheSeconds: 60 })

/** Where a machine's own cloud lives; others beside it are given homes of their own. */
export const usualHome = '/var/lib/berth'

/** What a cloud is called, where clients find it and how they log in. */
export const cloud = {
  home: z
    .string()
    .startsWith('/')
    .default(usualHome)
    .describe('directory: all state of this cloud, removed by down --purge'),
  region: z
    .string()
    .regex(/^[\w-]+$/)
    .default('RegionOne')
    .describe('name of this region in the identity catalogue'),
  hostName: z
    .string()
    .regex(/^[\w.-]+$/)
    .default(hostname())
    .describe('the name under which this host offers its capacity'),
  services: z
    .array(z.enum(['api', 'scheduler', 'agent']))
    .min(1)
    .default(['api', 'scheduler', 'agent'])
    .describe('what runs here: all of a cloud, or agent alone on a host that joined one'),
  listenAddress: z
    .string()
    .default('127.0.0.1')
    .describe('address the API listens on; loopback, so that a first try opens nothing'),
  apiPort: z.coerce.number().int().min(1).max(65535).default(8774).describe('TCP port of the API: the one Nova uses'),
  publicUrl: z
    .url()
    .nullable()
    .default(null)
    .describe('URL under which clients reach the API; null = http://listenAddress:apiPort'),
  identity: identity.describe(
    'keystone: URL of an external Keystone in place of our own identity, null = our own; cacheSeconds: how long its word on a token holds, so how late a revocation tells',
  ),
  adminPassword: z
    .string()
    .min(8)
    .nullable()
    .default(null)
    .describe('password of the first admin; null = generated and kept in home, mode 0600'),
  tokenHours: z.coerce.number().positive().default(24).describe('hours: life of an identity token'),
  loginFailures: z.coerce
    .number()
    .int()
    .min(1)
    .default(10)
    .describe(
      'failed log-ins of one user from one address before it must wait; of one user, or one address, ten times as many',
    ),
  loginWindowSeconds: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe('seconds after the first failed log-in until all are forgotten'),
  trustedProxies: z
    .array(z.string())
    .default([])
    .describe('addresses or CIDRs of proxies before the API whose X-Forwarded-For says who the client is'),
  agentAddress: z
    .string()
    .default('127.0.0.1')
    .describe('address at which the API reaches the agent of this host; loopback where both are on one machine'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('least level that the processes log'),
  failpointDirectory: z
    .string()
    .startsWith('/')
    .nullable()
    .default(null)
    .describe(
      'directory: a file there kills the process that reaches the failpoint of that name; null = never, for tests',
    ),
}
