/** The log of a process of ours: a line of JSON for each event, on standard output, which the supervisor leads to a file. */
import { stderr, stdout } from 'node:process'
import { pino, type Logger } from 'pino'
import type { Config } from './config.ts'

/** What is kept for the moment when there is room again; what comes after is lost, the work goes on. */
const mostBytesUnwritten = 1024 * 1024

/** A disk without room stops the log, and nothing else: no line of it fails a request or ends the process. */
export function openLog(name: string, { logLevel }: Pick<Config, 'logLevel'>): Logger {
  const out = pino.destination({ dest: 1, sync: true, maxLength: mostBytesUnwritten })
  out.on('error', () => undefined)
  // What libraries write there by themselves.
  stdout.on('error', () => undefined)
  stderr.on('error', () => undefined)
  return pino({ level: logLevel, name }, out)
}
