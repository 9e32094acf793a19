/** Projects that administrators name in requests of compute. */
import { Invalid } from '../../core/errors.ts'
import { findProject } from '../../db/identity/projects.ts'
import type { Call } from '../route.ts'

/** @throws Invalid, in Nova's words, when there is no such project */
export async function refuseUnknownProject({ db }: Pick<Call, 'db'>, id: string): Promise<void> {
  if (!(await findProject(db, { id }))) throw new Invalid(`Project ID ${id} is not a valid project.`)
}
