/** The body of POST /v3/auth/tokens. Source: keystone/auth/schema.py. */
import { z } from 'zod'

const domain = z.union([z.object({ id: z.string() }), z.object({ name: z.string() })])
const project = z.union([z.object({ id: z.string() }), z.object({ name: z.string(), domain })])
const userNamed = z.union([z.object({ id: z.string() }), z.object({ name: z.string(), domain })])
const user = z.intersection(userNamed, z.object({ password: z.string() }))
const credential = z.union([
  z.object({ id: z.string(), secret: z.string() }),
  z.object({ name: z.string(), user: userNamed, secret: z.string() }),
])

/** Clients send more than is defined here; as Keystone does, what is not known is ignored. */
export const tokenBody = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.array(z.string()).min(1),
      password: z.object({ user }).optional(),
      token: z.object({ id: z.string() }).optional(),
      application_credential: credential.optional(),
    }),
    scope: z
      .union([
        z.literal('unscoped'),
        z.object({ project }),
        z.object({ domain }),
        z.object({ system: z.object({ all: z.literal(true) }) }),
        z.object({ unscoped: z.object({}) }).transform(() => 'unscoped' as const),
      ])
      .optional(),
  }),
})

export type TokenBody = z.output<typeof tokenBody>['auth']
export type ProjectName = z.output<typeof project>
export type UserName = z.output<typeof userNamed>
export type CredentialName = z.output<typeof credential>
