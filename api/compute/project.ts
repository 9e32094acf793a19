/** Projects that administrators name in requests of compute. */
import { Invalid } from '../../core/errors.ts'
import { findProject } from '../../db/identity/projects.ts'
import type { Call } from '../route.ts'

/** @throws Invalid, in Nova's words, when there is no such project */
export async function refuseUnknownProject(
  { db, keystone, header }: Pick<Call, 'db' | 'keystone' | 'header'>,
  id: string,
): Promise<void> {
  const isKnown = keystone
    ? await keystone.hasProject(id, header('x-auth-token') ?? '')
    : (await findProject(db, { id })) !== null
  if (!isKnown) throw new Invalid(`Project ID ${id} is not a valid project.`)
}
