/** A stack of clean-ups: what was built is taken down in reverse order when a later step fails. */
export class Undo {
  readonly #steps: { readonly what: string; readonly run: () => Promise<unknown> }[] = []

  add(what: string, run: () => Promise<unknown>): void {
    this.#steps.push({ what, run })
  }

  /** Forget the clean-ups: the whole succeeded. */
  commit(): void {
    this.#steps.length = 0
  }

  /**
   * Runs every clean-up, newest first, each once, also when one before it failed.
   *
   * @returns what could not be cleaned up, with its error; empty when all is gone
   */
  async rollback(): Promise<readonly { readonly what: string; readonly error: unknown }[]> {
    const failed: { what: string; error: unknown }[] = []
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.run()
      } catch (error) {
        failed.push({ what: step.what, error })
      }
    }
    return failed
  }
}
