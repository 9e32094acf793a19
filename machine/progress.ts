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

/** Runs a step and prints its line; `work` may return a remark that the line ends with. */
export async function step<T>(name: string, work: () => Promise<T>, remark?: (value: T) => string): Promise<T> {
  const started = performance.now()
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`.padStart(8)
  if (isTerminal) process.stdout.write(`  … ${name}`)
  const line = (mark: string, note: string): void => {
    process.stdout.write(
      `${isTerminal ? '\r\u001b[2K' : ''}  ${mark} ${name.padEnd(20)} ${seconds()}${note === '' ? '' : `   ${note}`}\n`,
    )
  }
  try {
    const value = await work()
    line(green, remark?.(value) ?? '')
    return value
  } catch (error) {
    line(red, '')
    throw error instanceof StepFailed ? error : new StepFailed(name, error)
  }
}
