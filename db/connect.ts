import { Socket } from 'node:net'
import knex, { type Knex } from 'knex'
import pg from 'pg'
import { hasCode } from '../core/errors.ts'

/** A column's name as a record's. Units keep their case: memory_mib is memoryMiB. */
export function camelCase(column: string): string {
  return column
    .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    .replace(/Mib\b/, 'MiB')
    .replace(/Gib\b/, 'GiB')
}

/** A record's name as a column's. */
export function snakeCase(name: string): string {
  return name
    .replace(/MiB\b/, 'Mib')
    .replace(/GiB\b/, 'Gib')
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function isRow(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Remembers what it has turned: columns are few, and each row has all of them again. */
function remembering(turn: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>()
  return (name) => {
    const turned = known.get(name) ?? turn(name)
    known.set(name, turned)
    return turned
  }
}

function camelRows(): (result: unknown) => unknown {
  const turn = remembering(camelCase)
  const camelRow = (row: unknown): unknown => {
    if (!isRow(row) || Object.keys(row).every((column) => turn(column) === column)) return row
    const turned: Record<string, unknown> = {}
    for (const column of Object.keys(row)) turned[turn(column)] = row[column]
    return turned
  }
  return (result) => {
    if (Array.isArray(result)) return result.map(camelRow)
    if (typeof result === 'object' && result !== null && 'rows' in result && Array.isArray(result.rows)) {
      result.rows = result.rows.map(camelRow)
      return result
    }
    return camelRow(result)
  }
}

/** What is asked in one turn of the event loop leaves in one write: each costs as much as a small statement does. */
class PatientSocket extends Socket {
  override uncork(): void {
    setImmediate(() => super.uncork())
  }
}

/** Nothing we ask takes seconds: a server that is silent for longer is asleep. */
const usualAnswerMs = 25_000

/** bigint counts stay far below 2^53 here, so they are numbers. */
const overrides = new pg.TypeOverrides()
overrides.setTypeParser(pg.types.builtins.INT8, Number)
const types = { getTypeParser: (oid: number) => overrides.getTypeParser(oid, 'text') }

/**
 * Opens a pool. Names are turned here, once: columns are snake_case, records camelCase.
 *
 * @param url  postgres://user:password@host:port/database
 * @param size the most connections that the pool opens
 * @param answerMs silence of the server that counts as a failed statement; 0 = none does
 */
export function connect(
  url: string,
  {
    size,
    name,
    answerMs = usualAnswerMs,
  }: { readonly size: number; readonly name: string; readonly answerMs?: number },
): Knex {
  const snake = remembering(snakeCase)
  const connection = {
    connectionString: url,
    application_name: name,
    types,
    keepAlive: true,
    // What a transaction asks at once goes out at once: one round trip, answered in order.
    pipeline: true,
    stream: () => new PatientSocket(),
    connectionTimeoutMillis: 10_000,
    // The server gives a statement up before the client does, so that nothing goes on behind a failed call.
    statement_timeout: Math.round(answerMs * 0.8),
    query_timeout: answerMs,
    idle_in_transaction_session_timeout: 30_000,
  }
  return knex({
    client: 'pg',
    connection,
    // One connection stays warm: opening one takes tens of milliseconds, which a request would wait for.
    pool: { min: 1, max: size, acquireTimeoutMillis: 15_000, idleTimeoutMillis: 10_000 },
    wrapIdentifier: (value, wrap) => (value === '*' ? value : wrap(snake(value))),
    postProcessResponse: camelRows(),
  })
}

/** The part of Knex that statements need: a pool or a transaction. */
export type Db = Knex
export type Transaction = Knex.Transaction

/** A list for a jsonb column: as it is, the client would send an array of Postgres. */
export function jsonb(db: Db, list: readonly unknown[]): Knex.Raw {
  return db.raw('?::jsonb', [JSON.stringify(list)])
}

/** Records under the names of the columns, as a document that a statement reads. */
export function rowsOf(records: readonly object[]): string {
  return JSON.stringify(
    records.map((record) =>
      Object.fromEntries(Object.entries(record).map(([name, value]) => [snakeCase(name), value])),
    ),
  )
}

/** Postgres' words for going down, coming up and having no room, and Node's for a connection that broke. Source: PostgreSQL manual, appendix A */
const passingCodes: readonly unknown[] = [
  '57P01',
  '57P02',
  '57P03',
  '08000',
  '08003',
  '08006',
  '25P03',
  '53100',
  '53300',
  '57014',
]
const passingNames: readonly unknown[] = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT']
/** The statement stands before the reason. */
const passingMessages =
  /(^| - )(Connection terminated|Client has encountered|Query read timeout|timeout expired|Knex: Timeout)/

/** Whether a statement failed because the disk of the database is full: its message names the file. Source: PostgreSQL manual, appendix A */
export function isDatabaseFull(error: unknown): boolean {
  return hasCode(error, '53100')
}

/** Whether a statement failed because the database is down, restarting or asleep: the same may succeed in a moment. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code: unknown = 'code' in error ? error.code : undefined
  return passingCodes.includes(code) || passingNames.includes(code) || passingMessages.test(error.message)
}
