import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, processName } from '../core/config.ts'
import { openLog } from '../core/log.ts'
import type { Handlers } from '../core/jobs.ts'
import { connect } from '../db/connect.ts'
import { openLock } from '../db/locks.ts'
import { schedulerLives } from '../db/schedulers.ts'
import { forgetOldRequests } from '../db/repeatable-requests.ts'
import { freeFromTheDead, recover } from '../jobs/lost.ts'
import { runJobs } from '../jobs/run.ts'
import { takeBackups } from './backups.ts'
import { deleteOfFenced, deleteUnplaced } from './delete.ts'
import { Healer } from './heal.ts'
import { scheduleMove } from './move.ts'
import { schedule } from './schedule.ts'
import { openSite } from './site.ts'
import { Unbuilt } from './unbuilt.ts'

const config = loadConfig()
const log = openLog('scheduler', config)
const databaseUrl = config.databaseUrl
if (databaseUrl === null) throw new Error('DATABASE_URL is not set: the launcher sets it for a Postgres of our own')
const db = connect(databaseUrl, { size: config.databaseConnections, name: 'scheduler' })
const name = processName(config.hostName, config)
const lock = await openLock(databaseUrl, `scheduler ${name} (pid ${process.pid})`)
const site = openSite(db, config)
const handlers: Handlers<'schedule' | 'schedule.move' | 'server.delete'> = {
  schedule: (payload) => schedule(site, payload),
  'schedule.move': (payload) => scheduleMove(site, payload),
  'server.delete': (payload) => deleteUnplaced(site, payload),
}
for (const text of await freeFromTheDead(db)) log.warn({ text }, 'job taken over')
// A clock of the database that jumps from here on makes no host silent: the book has heard of all of them.
await site.book.page({ isFresh: true })
const running = await runJobs(handlers, { databaseUrl, lock, concurrency: 16, batch: 16, log })
mkdirSync(join(config.home, 'run'), { recursive: true })
writeFileSync(join(config.home, 'run', `${processName('scheduler', config)}.ready`), String(process.pid))
await schedulerLives(db, name)
const healer = new Healer({ ...site, log })
const unbuilt = new Unbuilt({ ...site, log })
let isHealing = false
/** A command that cuts a host off may take longer than a beat. */
async function healInTurn(): Promise<void> {
  if (isHealing) return
  isHealing = true
  try {
    await healer.heal(performance.now())
  } catch (error) {
    log.warn({ err: error }, 'lost hosts not looked for')
  } finally {
    isHealing = false
  }
}
/** Jobs of a scheduler that died are taken over as soon as its neighbours next say that they live; the book hears who lives. */
async function beat(): Promise<void> {
  await schedulerLives(db, name)
  await site.book.page({ isFresh: true })
  for (const text of await freeFromTheDead(db)) log.warn({ text }, 'job taken over')
}
const heart = setInterval(() => {
  beat().catch((error: unknown) => log.warn({ err: error }, 'sign of life not written'))
  deleteOfFenced({ ...site, log }).catch((error: unknown) => log.warn({ err: error }, 'waiting deletes not looked for'))
  unbuilt
    .look(performance.now())
    .catch((error: unknown) => log.warn({ err: error }, 'builds of silent hosts not looked for'))
  void healInTurn()
}, config.heartbeatSeconds * 1000)
const recovery = setInterval(() => {
  takeBackups({ db, config, log }).catch((error: unknown) => log.warn({ err: error }, 'backups not looked for'))
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
