import { messageOf } from '../../core/errors.ts'

const attempts = 5

/** runc gives up when the kernel has not stopped every process of a guest within a while: on a busy host the next try succeeds. */
export async function untilFrozen(freeze: () => Promise<void>): Promise<void> {
  for (let left = attempts; left > 0; left -= 1) {
    try {
      await freeze()
      return
    } catch (error) {
      if (left === 1 || !messageOf(error).includes('unable to freeze')) throw error
    }
  }
}
