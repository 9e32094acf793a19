/** berth host token: how another machine joins. */
import { InvalidArgumentError, type Command } from 'commander'
import { z } from 'zod'
import type { Terminal } from '../terminal.ts'

const made = z.object({ token: z.string(), expires_at: z.string(), url: z.string() })

function hours(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('a number is needed.')
  return Number(text)
}

export function addToken(command: Command, terminal: Terminal): void {
  command
    .command('token')
    .description('a token by which one machine joins as a host')
    .option('--hours <count>', 'how long it can be used', hours, 1)
    .action(async (body: { readonly hours: number }) => {
      const client = await terminal.client()
      const asked = { shape: made, method: 'POST', body } as const
      const { token, expires_at: end, url } = await client.ask('/berth/v1/join-tokens', asked)
      terminal.print(`on the machine that is to join, once, until ${end}:\n\n    ./berth agent join ${url} ${token}\n`)
    })
}
