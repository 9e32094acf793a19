/** A line per step with its time. */
import { CloudError, messageOf } from '../core/errors.ts'

/** A step of the launcher failed: what it was, and why. */
class StepFailed extends CloudError {
  constructor(step: string, cause: unknown) {
    super('unavailable', `${step}: ${messageOf(cause)}`, { cause })
  }
}

const isTerminal = process.stdout.isTTY
const green = isTerminal ? '\u001b[32m✓\u001b[0m' : '✓'
const red = isTerminal ? '\u001b[31m✗\u001b[0m' : '✗'

function write(text: string): void {
  process.stdout.write(text)
}

/** Steps side by side. On a terminal the last line says which of them are at work; each has a line of its own when it ends. */
export class Steps {
  readonly #atWork = new Set<string>()

  #say(): void {
    if (isTerminal && this.#atWork.size > 0) write(`\r\u001b[2K  … ${[...this.#atWork].join(', ')}`)
  }

  /** Runs a step; `work` may return a remark that its line ends with. @throws StepFailed */
  async step<T>(name: string, work: () => Promise<T>, remark?: (value: T) => string): Promise<T> {
    const started = performance.now()
    const end = (mark: string, note: string): void => {
      const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`.padStart(8)
      this.#atWork.delete(name)
      write(
        `${isTerminal ? '\r\u001b[2K' : ''}  ${mark} ${name.padEnd(20)} ${seconds}${note === '' ? '' : `   ${note}`}\n`,
      )
      this.#say()
    }
    this.#atWork.add(name)
    this.#say()
    try {
      const value = await work()
      end(green, remark?.(value) ?? '')
      return value
    } catch (error) {
      end(red, '')
      throw error instanceof StepFailed ? error : new StepFailed(name, error)
    }
  }
}

/** A step that no other is beside. */
export async function step<T>(name: string, work: () => Promise<T>, remark?: (value: T) => string): Promise<T> {
  return await new Steps().step(name, work, remark)
}
