import { loadConfig } from '../../core/config.ts'
import { layoutOf } from '../../machine/layout.ts'
import { leftovers } from './leftovers.ts'
import { isRoom } from './room.ts'

/** Tells jest at the end of a run that tests left something behind: then the run has failed. */
export default class CleanReporter {
  #error: Error | undefined

  async onRunComplete(): Promise<void> {
    const config = loadConfig()
    if (!isRoom(config)) return
    const left = await leftovers({ config, layout: layoutOf(config.home) })
    if (left.length === 0) return
    this.#error = new Error(`The tests left behind:\n  ${left.join('\n  ')}`)
    process.stderr.write(`\n${this.#error.message}\n`)
  }

  getLastError(): Error | undefined {
    return this.#error
  }
}
