import type { Db } from '../connect.ts'
import type { ProjectRow } from '../tables.ts'
import { namedFields, narrow, one, unique, type Filter, type Named, type Change } from './filter.ts'

export async function findProject(db: Db, named: Named): Promise<ProjectRow | null> {
  return (await db('projects').where(named).first()) ?? null
}

export interface ProjectFilter extends Filter {
  /** all of them; null = whatever their tags */
  readonly tags: readonly string[] | null
}

export async function listProjects(db: Db, filter: ProjectFilter): Promise<readonly ProjectRow[]> {
  const query = narrow(db('projects').select('*').orderBy('name'), filter)
  if (filter.tags !== null) void query.whereRaw('tags @> ?', [[...filter.tags]])
  return await query
}

/** The enabled projects in which a user has a role, by whatever way. */
export async function listProjectsOf(db: Db, userId: string): Promise<readonly ProjectRow[]> {
  const { rows } = await db.raw<{ rows: ProjectRow[] }>(
    `select p.* from projects p join domains d on d.id = p.domain_id
     where p.enabled and d.enabled and p.id in (select project_id from effective_assignments(?)) order by p.name`,
    [userId],
  )
  return rows
}

/** @throws Conflict when the domain has a project of that name */
export async function insertProject(db: Db, project: Omit<ProjectRow, 'createdAt'>): Promise<void> {
  await unique('project', project.name, db('projects').insert({ ...project, tags: [...project.tags] }))
}

/** @throws Conflict when the domain has a project of that name */
export async function updateProject(db: Db, id: string, change: Change<ProjectRow>): Promise<ProjectRow | null> {
  return one(
    await unique(
      'project',
      change.name ?? id,
      db('projects')
        .where({ id })
        .update({ id, ...namedFields<ProjectRow>(change) })
        .returning('*'),
    ),
  )
}

/** With its role assignments, tokens, application credentials and quotas. @returns false when it has projects below it or is gone */
export async function deleteProject(db: Db, id: string): Promise<boolean> {
  const below = db('projects as below').where('below.parentId', id).select('below.id')
  return (await db('projects').where({ id }).whereNotExists(below).delete()) > 0
}
