/** A migrated database for each test file, cloned from one template: a copy takes tens of milliseconds. */
import { randomBytes } from 'node:crypto'
import { connect, type Db } from '../../db/connect.ts'
import { migrate } from '../../db/migrate.ts'
import { migrateJobs } from '../../jobs/migrate.ts'
import { startPostgres } from '../../machine/parts/postgres.ts'
import { supervisedRoom } from './room.ts'

const template = 'berth_template'
const connections = 10

export interface TestDatabase {
  readonly url: string
  readonly db: Db
  /** Closes the pool and drops the database, whoever else is still connected. */
  readonly drop: () => Promise<void>
}

/** The server of the test run, its maintenance database. */
export async function postgresUrl(): Promise<string> {
  const { site, kept } = await supervisedRoom('postgres')
  return named((await startPostgres(site, kept)).where, 'postgres')
}

function named(url: string, database: string): string {
  const result = new URL(url)
  result.pathname = `/${database}`
  return result.href
}

async function withAdmin<T>(adminUrl: string, work: (db: Db) => Promise<T>): Promise<T> {
  const db = connect(adminUrl, { size: 1, name: 'test world' })
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

/** Fills the template under another name first: a killed run leaves no half of it. */
async function makeTemplate(adminUrl: string, admin: Db): Promise<void> {
  if (await admin('pg_database').where({ datname: template }).first()) return
  const unfinished = `${template}_new`
  await admin.raw('drop database if exists ??', [unfinished])
  await admin.raw('create database ??', [unfinished])
  const url = named(adminUrl, unfinished)
  const db = connect(url, { size: 2, name: 'test world' })
  try {
    await migrate(db)
    await migrateJobs(url)
  } finally {
    await db.destroy()
  }
  await admin.raw('alter database ?? rename to ??', [unfinished, template])
}

/** An empty, migrated database of its own. */
export async function freshDatabase(): Promise<TestDatabase> {
  const adminUrl = await postgresUrl()
  const name = `test_${randomBytes(6).toString('hex')}`
  await withAdmin(adminUrl, async (admin) => {
    await makeTemplate(adminUrl, admin)
    await admin.raw('create database ?? template ??', [name, template])
  })
  const url = named(adminUrl, name)
  const db = connect(url, { size: connections, name: 'test' })
  const drop = async (): Promise<void> => {
    await db.destroy()
    await withAdmin(adminUrl, async (admin) => {
      await admin.raw('drop database if exists ?? with (force)', [name])
    })
  }
  return { url, db, drop }
}
