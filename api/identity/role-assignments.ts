import * as rows from '../../db/identity/assignments.ts'
import { Invalid } from '../../core/errors.ts'
import type { Call, Reply } from '../route.ts'
import { listReply, self, type Json } from './answer.ts'

/** Such a flag holds when it is named, whatever its value, unless that says no. */
function flagIn(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  return text !== null && !['0', 'false', 'no'].includes(text.toLowerCase())
}

function filterOf({ query, caller }: Call): rows.AssignmentFilter {
  const projectId = query.get('scope.project.id')
  const domainId = query.get('scope.domain.id')
  const isSystem = query.get('scope.system') !== null
  if ([projectId !== null, domainId !== null, isSystem].filter(Boolean).length > 1)
    throw new Invalid('Specify a domain, a project or the system as a scope, not several of them.')
  return {
    userId: query.get('user.id'),
    groupId: query.get('group.id'),
    roleId: query.get('role.id'),
    projectId,
    domainId,
    isSystem,
    isInherited: query.get('scope.OS-INHERIT:inherited_to') === 'projects' ? true : null,
    withinDomainId: caller.domainId,
  }
}

function entity(id: string, name: string | null, domain: readonly [string | null, string | null] | null): Json {
  if (name === null) return { id }
  return { id, name, ...(domain ? { domain: { id: domain[0], name: domain[1] } } : {}) }
}

function scopeOf(row: rows.NamedAssignment, hasNames: boolean): Json {
  const inherited = row.isInherited ? { 'OS-INHERIT:inherited_to': 'projects' } : {}
  if (row.isSystem) return { system: { all: true } }
  if (row.projectId !== null) {
    const name = hasNames ? row.projectName : null
    return { project: entity(row.projectId, name, [row.projectDomainId, row.projectDomainName]), ...inherited }
  }
  return { domain: entity(row.domainId ?? '', hasNames ? row.domainName : null, null), ...inherited }
}

function actorOf(row: rows.NamedAssignment, hasNames: boolean): Json {
  if (row.userId !== null)
    return { user: entity(row.userId, hasNames ? row.userName : null, [row.userDomainId, row.userDomainName]) }
  const domain = [row.groupDomainId, row.groupDomainName] as const
  return { group: entity(row.groupId ?? '', hasNames ? row.groupName : null, domain) }
}

/** Where the assignment is made, and taken back. */
function linkOf(call: Call, row: rows.NamedAssignment): Json {
  const place =
    row.projectId !== null ? `projects/${row.projectId}` : row.isSystem ? 'system' : `domains/${row.domainId ?? ''}`
  const actor = row.userId !== null ? `users/${row.userId}` : `groups/${row.groupId ?? ''}`
  const path = `${place}/${actor}/roles/${row.roleId}`
  return {
    assignment: self(call, row.isInherited ? `OS-INHERIT/${path}/inherited_to_projects` : path).self,
  }
}

export async function index(call: Call): Promise<Reply> {
  const filter = filterOf(call)
  const isEffective = flagIn(call.query, 'effective')
  const hasNames = flagIn(call.query, 'include_names')
  if (isEffective && filter.groupId !== null)
    throw new Invalid('Combining effective and group filter will always result in an empty list.')
  const all = await rows.listAssignments(call.db, { ...filter, isEffective })
  const entries = all.map((row) => ({
    role: entity(row.roleId, hasNames ? row.roleName : null, null),
    ...actorOf(row, hasNames),
    scope: scopeOf(row, hasNames),
    links: linkOf(call, row),
  }))
  return listReply(call, 'role_assignments', entries)
}
