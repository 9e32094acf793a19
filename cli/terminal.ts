import type { Client } from './client.ts'

/** What a command needs: a log-in when it is run, and a place to write. */
export interface Terminal {
  readonly client: () => Promise<Client>
  readonly print: (text: string) => void
  /** whether a person looks on, so that lines may be written over */
  readonly isLive?: boolean
}

/** Options of every command that shows something. */
export interface Shown {
  readonly json?: boolean
}

/** Prints for programs, or else for people. */
export function show(terminal: Terminal, isJson: boolean | undefined, value: unknown, text: () => string): void {
  terminal.print(isJson ? `${JSON.stringify(value, null, 2)}\n` : text())
}
