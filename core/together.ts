/** @returns what each of the questions is answered */
type AskAll<Question, Answer> = (questions: readonly Question[]) => Promise<(question: Question) => Answer>

/**
 * Asks for many at once: who comes while a call is under way waits, and all who wait share the next one. So each is answered by a call
 * that began after it came; one that fails fails all who share it.
 */
export class Together<Question, Answer> {
  readonly #askAll: AskAll<Question, Answer>
  #waiting: Question[] = []
  #next: ReturnType<AskAll<Question, Answer>> | null = null
  #running: Promise<unknown> = Promise.resolve()

  constructor(askAll: AskAll<Question, Answer>) {
    this.#askAll = askAll
  }

  async ask(question: Question): Promise<Answer> {
    this.#waiting.push(question)
    this.#next ??= this.#running.then(() => this.#begin())
    const answerOf = await this.#next
    return answerOf(question)
  }

  #begin(): ReturnType<AskAll<Question, Answer>> {
    const asked = this.#askAll(this.#waiting)
    this.#waiting = []
    this.#next = null
    this.#running = asked.catch(() => null)
    return asked
  }
}
