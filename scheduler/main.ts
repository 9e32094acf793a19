import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../core/config.ts'
import { openLog } from '../core/log.ts'
import type { Handlers } from '../core/jobs.ts'
import { connect } from '../db/connect.ts'
import { takeLock } from '../db/locks.ts'
import { schedulerLives } from '../db/schedulers.ts'
import { forgetOldRequests } from '../db/repeatable-requests.ts'
import { recover } from '../jobs/lost.ts'
import { runJobs } from '../jobs/run.ts'
import { deleteUnplaced } from './delete.ts'
import { scheduleMove } from './move.ts'
import { schedule } from './schedule.ts'

const config = loadConfig()
const log = openLog('scheduler', config)
const databaseUrl = config.databaseUrl
if (databaseUrl === null) throw new Error('DATABASE_URL is not set: the launcher sets it for a Postgres of our own')
const db = connect(databaseUrl, { size: config.databaseConnections, name: 'scheduler' })
const lock = await takeLock(databaseUrl, 'scheduler', `scheduler of ${config.hostName} (pid ${process.pid})`)
const handlers: Handlers<'schedule' | 'schedule.move' | 'server.delete'> = {
  schedule: (payload) => schedule({ db, config }, payload),
  'schedule.move': (payload) => scheduleMove({ db, config }, payload),
  'server.delete': (payload) => deleteUnplaced({ db, config }, payload),
}
const running = await runJobs(handlers, { databaseUrl, concurrency: 8, log })
mkdirSync(join(config.home, 'run'), { recursive: true })
writeFileSync(join(config.home, 'run', 'scheduler.ready'), String(process.pid))
await schedulerLives(db, config.hostName)
const heart = setInterval(() => {
  schedulerLives(db, config.hostName).catch((error: unknown) => log.warn({ err: error }, 'sign of life not written'))
}, config.heartbeatSeconds * 1000)
const recovery = setInterval(() => {
  forgetOldRequests(db).catch((error: unknown) => log.warn({ err: error }, 'old requests not forgotten'))
  recover(db, null).then(
    (done) => done.forEach((text) => log.warn({ text }, 'job or task taken up')),
    (error: unknown) => log.warn({ err: error }, 'lost jobs not looked for'),
  )
}, config.reconcileSeconds * 1000)
log.info({ pid: process.pid }, 'scheduler ready')

const stopping = new AbortController()
async function stop(): Promise<void> {
  if (stopping.signal.aborted) return
  stopping.abort()
  clearInterval(recovery)
  clearInterval(heart)
  await running.stop()
  await db.destroy()
  await lock.release()
  log.info('scheduler stopped')
}
process.on('SIGTERM', () => void stop())
process.on('SIGINT', () => void stop())
try {
  await Promise.race([running.ended, lock.lost])
} catch (error) {
  if (!stopping.signal.aborted) {
    log.error({ err: error }, 'scheduler ends')
    process.exit(1)
  }
}
