/** A token as it is shown: who, where, as what, for how long, and the catalogue. */
import { listRolesNamed } from '../../db/identity/roles.ts'
import type { Bearer } from '../../db/identity/tokens.ts'
import type { OpenCall } from '../route.ts'
import { time, type Json } from './answer.ts'
import { catalog } from './catalog.ts'

function placeView(bearer: Bearer): Json | null {
  if (bearer.isSystem) return { system: { all: true } }
  if (bearer.domainId !== null) return { domain: { id: bearer.domainId, name: bearer.domainName } }
  if (bearer.projectId === null) return null
  const domain = { id: bearer.projectDomainId, name: bearer.projectDomainName }
  return { is_domain: false, project: { id: bearer.projectId, name: bearer.projectName, domain } }
}

function credentialView(bearer: Bearer): Json {
  if (bearer.applicationCredentialId === null) return {}
  const { applicationCredentialId: id, applicationCredentialName: name, isUnrestricted, accessRules } = bearer
  const rules = accessRules === null ? {} : { access_rules: accessRules }
  return { application_credential: { id, name, restricted: !isUnrestricted, ...rules } }
}

export async function tokenView(call: OpenCall, bearer: Bearer): Promise<Json> {
  const place = placeView(bearer)
  const roles = place ? await listRolesNamed(call.db, bearer.roles) : []
  const scoped = place && {
    ...place,
    roles: roles.map(({ id, name }) => ({ id, name })),
    ...(call.query.has('nocatalog') ? {} : { catalog: await catalog(call, bearer) }),
  }
  return {
    methods: bearer.methods,
    user: {
      id: bearer.userId,
      name: bearer.userName,
      domain: { id: bearer.userDomainId, name: bearer.userDomainName },
      password_expires_at: null,
    },
    audit_ids: [bearer.auditId, ...(bearer.parentAuditId === null ? [] : [bearer.parentAuditId])],
    issued_at: time(bearer.issuedAt),
    expires_at: time(bearer.expiresAt),
    ...scoped,
    ...credentialView(bearer),
  }
}
