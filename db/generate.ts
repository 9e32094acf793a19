/** Writes db/tables.ts and migrations/schema.sql anew. usage: DATABASE_URL=postgres://... node db/generate.ts, on an empty database */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../core/config.ts'
import { connect } from './connect.ts'
import { schemaText, tablesText } from './describe.ts'
import { migrate } from './migrate.ts'

const { databaseUrl } = loadConfig()
if (databaseUrl === null) throw new Error('DATABASE_URL is not set')
const db = connect(databaseUrl, { size: 2, name: 'generate' })
try {
  await migrate(db)
  await writeFile(fileURLToPath(new URL('../migrations/schema.sql', import.meta.url)), await schemaText(db))
  await writeFile(fileURLToPath(new URL('tables.ts', import.meta.url)), await tablesText(db))
} finally {
  await db.destroy()
}
