/**
 * nft's own library, in this process: an `nft` of its own for each change takes tens of milliseconds, the change itself about one.
 * Source: libnftables(3)
 */
import koffi, { type KoffiFunc } from 'koffi'
import { z } from 'zod'
import { messageOf, PartSilent, Unavailable } from '../../core/errors.ts'
import { withNamespace } from '../namespace.ts'

const timeoutMs = 20_000
/** NFT_CTX_DEFAULT, NFT_CTX_OUTPUT_JSON; source: nftables/libnftables.h */
const usualContext = 0
const usualOutput = 0
const jsonOutput = 1 << 4

type Call = KoffiFunc<(...words: readonly unknown[]) => unknown>

interface Calls {
  readonly open: Call
  readonly free: Call
  readonly run: Call
  readonly bufferOutput: Call
  readonly bufferErrors: Call
  readonly output: Call
  readonly errors: Call
  readonly setOutput: Call
}

function load(): Calls {
  try {
    const library = koffi.load('libnftables.so.1')
    return {
      open: library.func('void *nft_ctx_new(uint32_t flags)'),
      free: library.func('void nft_ctx_free(void *context)'),
      run: library.func('int nft_run_cmd_from_buffer(void *context, const char *text)'),
      bufferOutput: library.func('int nft_ctx_buffer_output(void *context)'),
      bufferErrors: library.func('int nft_ctx_buffer_error(void *context)'),
      output: library.func('const char *nft_ctx_get_output_buffer(void *context)'),
      errors: library.func('const char *nft_ctx_get_error_buffer(void *context)'),
      setOutput: library.func('void nft_ctx_output_set_flags(void *context, uint32_t flags)'),
    }
  } catch (error) {
    const remedy = 'apt-get install nftables'
    throw new Unavailable(`libnftables: ${messageOf(error)}; remedy: ${remedy}`, { cause: error })
  }
}

/** One socket in one namespace. What is asked comes one after the other. */
export class Nft {
  readonly #netnsPath: string | null
  #opened: { readonly calls: Calls; readonly context: unknown } | null = null
  #last: Promise<unknown> = Promise.resolve()

  /** @param netnsPath the namespace whose rules they are; null = the host's own */
  constructor(netnsPath: string | null) {
    this.#netnsPath = netnsPath
  }

  /** The kernel has taken all lines, as one transaction, or none. @throws Unavailable with nft's own words */
  async change(lines: readonly string[]): Promise<void> {
    await this.#ask(lines.map((line) => `${line}\n`).join(''), usualOutput)
  }

  /** What one command says, as libnftables-json(5). */
  async list(command: string): Promise<string> {
    return await this.#ask(command, jsonOutput)
  }

  /** What runs still has its end first. */
  close(): void {
    const opened = this.#opened
    this.#opened = null
    if (opened) void this.#last.then(() => opened.calls.free(opened.context))
  }

  async #ask(text: string, output: number): Promise<string> {
    const mine = this.#last.then(() => this.#run(text, output))
    this.#last = mine.catch(() => undefined)
    const silent = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => silent.reject(new PartSilent(`nftables did not answer within ${timeoutMs / 1000} s`)),
      timeoutMs,
    )
    try {
      return await Promise.race([mine, silent.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  async #run(text: string, output: number): Promise<string> {
    const { calls, context } = (this.#opened ??= this.#open())
    calls.setOutput(context, output)
    const code = await new Promise<unknown>((resolve, reject) => {
      calls.run.async(context, text, (error: unknown, result: unknown) => {
        if (error instanceof Error) reject(error)
        else resolve(result)
      })
    })
    // Reading a buffer empties it.
    const [said, errors] = [calls.output(context), calls.errors(context)].map((one) => z.string().nullable().parse(one))
    if (code !== 0) throw new Unavailable(`nftables did not take rules: ${errors ?? 'no reason given'}`)
    return said ?? ''
  }

  /** The library's socket belongs to the namespace that this thread is in when it is made. */
  #open(): { readonly calls: Calls; readonly context: unknown } {
    const calls = load()
    const make = (): unknown => calls.open(usualContext)
    const context = this.#netnsPath === null ? make() : withNamespace(this.#netnsPath, make)
    if (context === null) throw new Unavailable('libnftables gave no context')
    calls.bufferOutput(context)
    calls.bufferErrors(context)
    return { calls, context }
  }
}
