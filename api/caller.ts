import { Forbidden } from '../core/errors.ts'
import type { Bearer } from '../db/identity/tokens.ts'
import type { Viewer } from '../db/images.ts'

/** Who calls, by the token of the request. */
export interface Caller extends Bearer {
  /** of the whole cloud; an administrator of one domain is none */
  readonly isAdmin: boolean
}

/** @throws Forbidden when the token is not scoped to a project */
export function projectOf(caller: Caller): string {
  if (caller.projectId === null)
    throw new Forbidden('The token is not scoped to a project: ask for one with a project scope.')
  return caller.projectId
}

/** What a caller may see. @throws Forbidden when the token is not scoped to a project */
export function viewerOf(caller: Caller): Viewer {
  return { projectId: projectOf(caller), isAdmin: caller.isAdmin }
}
