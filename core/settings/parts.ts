import { z } from 'zod'

/** The parts that a cloud stands on: whose they are, and where they are found. */
export const parts = {
  databaseUrl: z.string().nullable().default(null).describe('postgres://...; null = a Postgres of our own under home'),
  postgresPort: z.coerce
    .number()
    .int()
    .default(5433)
    .describe('TCP port, on loopback, of a Postgres of our own; not 5432, which a Postgres of the machine may hold'),
  postgresAddress: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'address on which a Postgres of our own also answers, with TLS, for hosts of other machines; null = loopback alone',
    ),
  databaseCa: z
    .string()
    .startsWith('-----BEGIN CERTIFICATE')
    .nullable()
    .default(null)
    .describe(
      'PEM of the authority of the database, which hosts that join are given; null = it needs none, or is made by up',
    ),
  databaseConnections: z.coerce
    .number()
    .int()
    .min(2)
    .default(10)
    .describe('connections: the most that one process of ours opens'),
  dockerHost: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'unix:///...: the Docker engine to use; null = the default socket if it suits, else an engine of our own',
    ),
  lxcfsDir: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'where lxcfs is mounted; null = the running one, else one of our own; "off" = guests see the host\'s figures',
    ),
  namePrefix: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,9}$/)
    .default('berth')
    .describe('begins every name that the kernel shares between clouds: cgroup parent, users, sysctl file'),
}
