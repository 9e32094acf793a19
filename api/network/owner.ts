import { Forbidden } from '../../core/errors.ts'
import { projectOf } from '../caller.ts'
import type { Call } from '../route.ts'

/** A project's own, unless an administrator makes it for another one. @throws Forbidden */
export function ownerOf(
  { caller }: Call,
  wanted: { readonly project_id?: string | undefined; readonly tenant_id?: string | undefined },
): string {
  const owner = wanted.project_id ?? wanted.tenant_id ?? projectOf(caller)
  if (owner !== caller.projectId && !caller.isAdmin)
    throw new Forbidden("Policy doesn't allow this to be done for another project.")
  return owner
}

/** What a project sees because it is shared is not the project's to change. @throws Forbidden */
export function refuseIfNotOwner({ caller }: Call, { projectId }: { readonly projectId: string }, rule: string): void {
  if (!caller.isAdmin && projectId !== caller.projectId)
    throw new Forbidden(`Policy doesn't allow ${rule} to be performed.`)
}
