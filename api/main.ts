import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { loadConfig, processName } from '../core/config.ts'
import { openLog } from '../core/log.ts'
import { connect } from '../db/connect.ts'
import { registryOf } from '../registry/registry.ts'
import { createApp } from './app.ts'

const config = loadConfig()
const log = openLog('api', config)
const { databaseUrl, listenAddress, apiPort } = config
if (databaseUrl === null) throw new Error('DATABASE_URL is not set: the launcher sets it for a Postgres of our own')
const db = connect(databaseUrl, { size: config.databaseConnections, name: 'api' })
await db.raw('select 1')
const server = createServer(createApp({ db, config, registry: registryOf(config), log }))
server.once('error', (error) => {
  log.error({ err: error }, 'api does not listen')
  process.exit(1)
})
// Of several processes each has a socket of its own; the kernel shares connections among them. A lone one finds out that the port is taken.
server.listen({ port: apiPort, host: listenAddress, reusePort: config.apis > 1 }, () => {
  mkdirSync(join(config.home, 'run'), { recursive: true })
  writeFileSync(join(config.home, 'run', `${processName('api', config)}.ready`), String(process.pid))
  log.info({ pid: process.pid, listenAddress, apiPort }, 'api ready')
})
// Longer than the idle time of proxies and clients, so that they, not we, close a connection.
server.keepAliveTimeout = 75_000

let stopping = false
/** Takes no new requests, lets running ones end. */
function stop(): void {
  if (stopping) return
  stopping = true
  server.close(() => {
    void db.destroy().then(() => log.info('api stopped'))
  })
  server.closeIdleConnections()
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
