import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../core/config.ts'
import { layoutOf } from '../../machine/layout.ts'
import { leftovers } from './leftovers.ts'
import { isRoom } from './room.ts'

/** An agent that takes a gateway away does so in steps: what is gone a moment later was not left. */
const tries = 10
const pauseMs = 500

async function lasting(look: () => Promise<readonly string[]>): Promise<readonly string[]> {
  for (let left = tries; left > 1; left -= 1) {
    if ((await look()).length === 0) return []
    await sleep(pauseMs)
  }
  return await look()
}

/** Tells jest at the end of a run that tests left something behind: then the run has failed. */
export default class CleanReporter {
  #error: Error | undefined

  async onRunComplete(): Promise<void> {
    const config = loadConfig()
    if (!isRoom(config)) return
    const left = await lasting(() => leftovers({ config, layout: layoutOf(config.home) }))
    if (left.length === 0) return
    this.#error = new Error(`The tests left behind:\n  ${left.join('\n  ')}`)
    process.stderr.write(`\n${this.#error.message}\n`)
  }

  getLastError(): Error | undefined {
    return this.#error
  }
}
