/** `up` and `down` of one home do not meet: who comes second is told who is at work, and changes nothing. */
import { createHash } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { Conflict, hasCode } from '../core/errors.ts'

const answerMs = 2000

/** A name without a file, in this network namespace: the kernel gives it to one process, and takes it back when that ends. Source: unix(7) */
function nameOf(home: string): string {
  return `\0berth-${createHash('sha256').update(home).digest('hex').slice(0, 32)}`
}

/** @returns null when another process has the name */
async function take(home: string, word: string): Promise<Server | null> {
  const server = createServer((client) => client.on('error', () => client.destroy()).end(`${word}, pid ${process.pid}`))
  return await new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE')) resolve(null)
      else reject(error)
    })
    server.listen(nameOf(home), () => resolve(server))
  })
}

async function whoIsAtWork(home: string): Promise<string> {
  const client = connect(nameOf(home)).setTimeout(answerMs)
  client.once('timeout', () => client.destroy(new Error('no answer')))
  try {
    return await text(client)
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED', 'ECONNRESET')) return 'just ending'
    throw error
  }
}

/** @throws Conflict when another `./berth` is at work on this home */
export async function oneAtATime(home: string, word: string, work: () => Promise<void>): Promise<void> {
  const server = await take(home, word)
  if (!server)
    throw new Conflict(`./berth is at work on ${home} already (${await whoIsAtWork(home)}); nothing was changed`)
  try {
    await work()
  } finally {
    server.close()
  }
}
