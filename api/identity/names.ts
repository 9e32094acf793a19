/** Bodies name users and projects by id, or by name and domain. */
import type { Db } from '../../db/connect.ts'
import { findDomain } from '../../db/identity/domains.ts'
import type { Named } from '../../db/identity/filter.ts'
import type { ProjectName, UserName } from './token-body.ts'

/** @returns null when the domain is not there */
export async function named(db: Db, what: ProjectName | UserName): Promise<Named | null> {
  if ('id' in what) return { id: what.id }
  if ('id' in what.domain) return { name: what.name, domainId: what.domain.id }
  const domain = await findDomain(db, { name: what.domain.name })
  return domain ? { name: what.name, domainId: domain.id } : null
}
