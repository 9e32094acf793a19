/**
 * The one process that keeps the parts running: their parent, who starts again what died. Told what to do over a unix socket, one
 * JSON line each way. When it is killed its parts live on, and the next one takes them over by pid and start time.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../core/errors.ts'
import { end, identify, isAlive, type ProcessId } from './process.ts'
import { request, type PartSpec, type PartStatus, type Reply } from './supervisor-protocol.ts'

interface Kept {
  readonly spec: PartSpec
  id: ProcessId | null
  restarts: number
  startedAt: number
  isWanted: boolean
  timer: NodeJS.Timeout | null
}

const watchMs = 500
const largestLogBytes = 64 * 1024 * 1024
const longestBackoffMs = 8000
/** One that ran this long has earned an immediate restart again. */
const steadyMs = 60_000

const home = process.argv[2]
if (home === undefined) throw new Error('usage: supervisor.ts HOME')
const run = join(home, 'run')
const kept = new Map<string, Kept>()

function pidPath(name: string): string {
  return join(run, `${name}.pid`)
}

const partsPath = join(run, 'parts.json')

function remember(): void {
  writeFileSync(
    `${partsPath}.new`,
    JSON.stringify([...kept.values()].filter((part) => part.isWanted).map((part) => part.spec)),
    { mode: 0o600 },
  )
  renameSync(`${partsPath}.new`, partsPath)
}

/** What an earlier supervisor of this home kept. A file that cannot be read keeps nobody from a new beginning. */
function remembered(): readonly PartSpec[] {
  if (!existsSync(partsPath)) return []
  try {
    return request.options[0].shape.part.array().parse(JSON.parse(readFileSync(partsPath, 'utf8')))
  } catch (error) {
    process.stderr.write(`${partsPath} is not taken over: ${messageOf(error)}\n`)
    return []
  }
}

function adopt(name: string): ProcessId | null {
  try {
    const [pid, startTime] = readFileSync(pidPath(name), 'utf8').split(' ')
    const id = identify(Number(pid))
    return id !== null && id.startTime === startTime ? id : null
  } catch {
    // No pid file: it was never started.
    return null
  }
}

function launch(part: Kept): void {
  const { spec } = part
  const [command, ...words] = spec.command
  if (command === undefined) return
  const log = openSync(spec.log, 'a')
  const child: ChildProcess = spawn(command, words, {
    env: { ...process.env, ...spec.env },
    detached: true,
    cwd: '/',
    stdio: ['ignore', log, log],
    ...(spec.uid === undefined ? {} : { uid: spec.uid, gid: spec.gid ?? spec.uid }),
  })
  closeSync(log)
  part.startedAt = performance.now()
  child.once('error', (error) => writeFileSync(spec.log, `${spec.name}: ${error.message}\n`, { flag: 'a' }))
  child.once('exit', () => look(part))
  part.id = child.pid === undefined ? null : identify(child.pid)
  if (part.id) writeFileSync(pidPath(spec.name), `${part.id.pid} ${part.id.startTime}`)
}

/** Starts again what ended: at once the first time, then after 1, 2, 4, 8 seconds. Once its cause is gone, that is how long healing takes. */
function look(part: Kept): void {
  if (!part.isWanted || part.timer || (part.id && isAlive(part.id))) return
  if (performance.now() - part.startedAt > steadyMs) part.restarts = 0
  const delay = part.restarts === 0 ? 0 : Math.min(longestBackoffMs, 500 * 2 ** part.restarts)
  part.restarts += 1
  part.timer = setTimeout(() => {
    part.timer = null
    if (part.isWanted) launch(part)
  }, delay)
}

/** A part that runs as it is told is left; one that was told otherwise before (new code, new settings) is started anew. */
async function start(spec: PartSpec): Promise<void> {
  const present = kept.get(spec.name)
  if (present?.isWanted && present.id && isAlive(present.id)) {
    if (isDeepStrictEqual(present.spec, spec)) return
    await stop(spec.name)
  } else if (present) {
    // It is about to be started again: that would make a second one.
    present.isWanted = false
    if (present.timer) clearTimeout(present.timer)
  }
  const part: Kept = {
    spec,
    id: adopt(spec.name),
    restarts: 0,
    startedAt: performance.now(),
    isWanted: true,
    timer: null,
  }
  kept.set(spec.name, part)
  if (!part.id) launch(part)
  remember()
}

async function stop(name: string): Promise<void> {
  const part = kept.get(name)
  if (!part) return
  part.isWanted = false
  if (part.timer) clearTimeout(part.timer)
  if (part.id) await end(part.id, { with: part.spec.stopSignal, timeoutMs: part.spec.stopTimeoutMs })
  kept.delete(name)
  rmSync(pidPath(name), { force: true })
  remember()
}

function status(): PartStatus[] {
  return [...kept.values()].map(({ spec, id, restarts }) => ({
    name: spec.name,
    pid: id && isAlive(id) ? id.pid : null,
    restarts,
    log: spec.log,
  }))
}

async function answer(line: string): Promise<Reply> {
  const wanted = request.parse(JSON.parse(line))
  if (wanted.op === 'start') await start(wanted.part)
  if (wanted.op === 'stop') await stop(wanted.name)
  if (wanted.op === 'exit') setTimeout(() => process.exit(0), 10)
  return { parts: status() }
}

/** One supervisor per home, however many are started at once: the last one that wrote its pid stays, the others end. */
async function beTheOnlyOne(): Promise<void> {
  const self = identify(process.pid)
  if (self === null || adopt('supervisor') !== null) process.exit(0)
  writeFileSync(pidPath('supervisor'), `${self.pid} ${self.startTime}`)
  await sleep(250)
  if (adopt('supervisor')?.pid !== self.pid) process.exit(0)
}

mkdirSync(run, { recursive: true })
await beTheOnlyOne()
const socketPath = join(run, 'supervisor.sock')
rmSync(socketPath, { force: true })
createServer((client) => {
  let text = ''
  client.on('error', () => client.destroy())
  client.on('data', (chunk) => {
    text += chunk.toString()
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      answer(line).then(
        (reply) => client.write(`${JSON.stringify(reply)}\n`),
        (error: unknown) => client.write(`${JSON.stringify({ error: String(error) })}\n`),
      )
    }
  })
}).listen(socketPath)
for (const spec of remembered()) if (adopt(spec.name)) await start(spec)
setInterval(() => {
  for (const part of kept.values()) {
    look(part)
    const bytes = statSync(part.spec.log, { throwIfNoEntry: false })?.size ?? 0
    if (bytes > largestLogBytes) truncateSync(part.spec.log, 0)
  }
}, watchMs)
process.on('SIGHUP', () => undefined)
