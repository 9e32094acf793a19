/** Roles of a user or a group in a project, in a domain or on the whole cloud. */
import { Forbidden } from '../../core/errors.ts'
import { includesAdmin } from '../../db/identity/admins.ts'
import * as rows from '../../db/identity/assignments.ts'
import { findDomain } from '../../db/identity/domains.ts'
import { findGroup } from '../../db/identity/groups.ts'
import { findProject } from '../../db/identity/projects.ts'
import type { Rule } from '../policy.ts'
import type { Call, Reply, Route } from '../route.ts'
import { allowIn, found, listReply, Missing } from './answer.ts'
import { findRole, roleView } from './roles.ts'
import { findUser } from './users.ts'

const targets = ['projects', 'domains', 'system'] as const
const actors = ['users', 'groups'] as const

/** One of the paths that name an actor and a target. */
interface Corner {
  readonly target: (typeof targets)[number]
  readonly actor: (typeof actors)[number]
  readonly isInherited: boolean
}

/** @throws Missing, and Forbidden outside of the caller's domain */
async function targetOf(call: Call, { target }: Corner): Promise<rows.Target> {
  const { target: id = '' } = call.params
  if (target === 'system') {
    allowIn(call, null)
    return { isSystem: true }
  }
  if (target === 'projects') {
    allowIn(call, found(await findProject(call.db, { id }), 'project', id).domainId)
    return { projectId: id }
  }
  allowIn(call, found(await findDomain(call.db, { id }), 'domain', id).id)
  return { domainId: id }
}

async function actorOf(call: Call, { actor }: Corner): Promise<rows.Actor> {
  const { actor: id = '' } = call.params
  if (actor === 'users') return { userId: (await findUser(call, id)).id }
  return { groupId: found(await findGroup(call.db, id), 'group', id).id }
}

async function grantOf(call: Call, corner: Corner): Promise<rows.Grant> {
  const target = await targetOf(call, corner)
  const actor = await actorOf(call, corner)
  const { id: roleId } = await findRole(call, call.params.role ?? '')
  return { target, actor, roleId, isInherited: corner.isInherited }
}

/** Whoever leads one domain does not make leaders of the cloud. @throws Forbidden */
async function allowRole({ db, caller }: Call, roleId: string): Promise<void> {
  if (caller.domainId !== null && (await includesAdmin(db, roleId)))
    throw new Forbidden('The role admin is given and taken by an administrator of the cloud only.')
}

async function index(call: Call, corner: Corner): Promise<Reply> {
  const { isInherited } = corner
  const target = await targetOf(call, corner)
  const granted = await rows.rolesGranted(call.db, { target, actor: await actorOf(call, corner), isInherited })
  const path = call.path.replace(/^.*?\/v3\//, '')
  return listReply(
    call,
    'roles',
    granted.map((role) => roleView(call, role)),
    path,
  )
}

async function check(call: Call, corner: Corner): Promise<Reply> {
  const grant = await grantOf(call, corner)
  if (!(await rows.hasGrant(call.db, grant))) throw new Missing('role assignment', grant.roleId)
  return { status: 204 }
}

async function put(call: Call, corner: Corner): Promise<Reply> {
  const grant = await grantOf(call, corner)
  await allowRole(call, grant.roleId)
  await rows.grant(call.db, grant)
  return { status: 204 }
}

async function remove(call: Call, corner: Corner): Promise<Reply> {
  const grant = await grantOf(call, corner)
  await allowRole(call, grant.roleId)
  if (!(await rows.withdraw(call.db, grant))) throw new Missing('role assignment', grant.roleId)
  return { status: 204 }
}

const member = [
  { method: 'get', rule: 'identity:list_grants', run: check },
  { method: 'head', rule: 'identity:list_grants', run: check },
  { method: 'put', rule: 'identity:create_grant', run: put },
  { method: 'delete', rule: 'identity:revoke_grant', run: remove },
] as const satisfies readonly { method: Route['method']; rule: Rule; run: unknown }[]

function routesOf(corner: Corner): readonly Route[] {
  const place = corner.target === 'system' ? 'system' : `${corner.target}/:target`
  const path = `/v3/${corner.isInherited ? 'OS-INHERIT/' : ''}${place}/${corner.actor}/:actor/roles`
  const suffix = corner.isInherited ? '/inherited_to_projects' : ''
  return [
    { method: 'get', path: `${path}${suffix}`, rule: 'identity:list_grants', run: (call) => index(call, corner) },
    ...member.map(({ method, rule, run }) => ({
      method,
      rule,
      path: `${path}/:role${suffix}`,
      run: (call: Call) => run(call, corner),
    })),
  ]
}

/** Of each actor at each target; nothing lies below the whole cloud that could inherit. */
export const grantRoutes: readonly Route[] = targets
  .flatMap((target) => actors.map((actor) => ({ target, actor })))
  .flatMap((corner) => [
    ...routesOf({ ...corner, isInherited: false }),
    ...(corner.target === 'system' ? [] : routesOf({ ...corner, isInherited: true })),
  ])
