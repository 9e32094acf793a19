/** The body of POST /v3/auth/tokens. Source: keystone/auth/schema.py. */
import { z } from 'zod'

const domain = z.union([z.object({ id: z.string() }), z.object({ name: z.string() })])
const project = z.union([z.object({ id: z.string() }), z.object({ name: z.string(), domain })])
const user = z.union([
  z.object({ id: z.string(), password: z.string() }),
  z.object({ name: z.string(), domain, password: z.string() }),
])

/** Clients send more than is defined here; as Keystone does, what is not known is ignored. */
export const tokenBody = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.array(z.string()).min(1),
      password: z.object({ user }).optional(),
      token: z.object({ id: z.string() }).optional(),
    }),
    scope: z
      .union([
        z.literal('unscoped'),
        z.object({ project }),
        z.object({ domain: z.unknown() }),
        z.object({ system: z.unknown() }),
      ])
      .optional(),
  }),
})

export type TokenBody = z.output<typeof tokenBody>['auth']
export type ProjectName = z.output<typeof project>
export type UserName = z.output<typeof user>
export type DomainName = z.output<typeof domain>
