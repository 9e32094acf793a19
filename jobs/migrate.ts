import { runMigrations } from 'graphile-worker'

/** Brings the queue's own schema to the version of the library; done twice is as if done once. */
export async function migrateJobs(databaseUrl: string): Promise<void> {
  await runMigrations({ connectionString: databaseUrl })
}
