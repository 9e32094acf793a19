/** A pool as a grid in the terminal: one sign for an address, or for a block of them. */
import type { Command } from 'commander'
import { z } from 'zod'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { path } from './path.ts'

const block = z.object({
  first: z.string(),
  size: z.number(),
  used: z.number(),
  reserved: z.number(),
  quarantined: z.number(),
})
type Block = z.output<typeof block>
const map = z.object({ cidr: z.string(), blocks: z.array(block) })

const perLine = 64
/** from this share of a block on */
const shades = [
  { least: 1, sign: '█' },
  { least: 0.5, sign: '▓' },
  { least: 0.25, sign: '▒' },
  { least: 0, sign: '░' },
] as const

/** Of one address the state, of a block how much of it is taken. */
function signOf({ size, used, reserved, quarantined }: Block): string {
  const taken = used + reserved + quarantined
  if (taken === 0) return '·'
  if (size > 1) return shades.find(({ least }) => taken / size >= least)?.sign ?? '░'
  if (used > 0) return '█'
  return reserved > 0 ? 'R' : 'q'
}

function legendOf(size: number): string {
  return size === 1
    ? '█ used  R reserved  q in quarantine  · not taken'
    : `one sign is ${size} addresses: █ all  ▓ half  ▒ a quarter  ░ some taken  · none`
}

function drawn({ cidr, blocks }: z.output<typeof map>): string {
  const width = Math.max(...blocks.map(({ first }) => first.length))
  const lines: string[] = []
  for (let start = 0; start < blocks.length; start += perLine) {
    const part = blocks.slice(start, start + perLine)
    lines.push(`${(part[0]?.first ?? '').padEnd(width)}  ${part.map(signOf).join('')}`)
  }
  return `${cidr}\n${lines.join('\n')}\n${legendOf(blocks[0]?.size ?? 1)}\n`
}

export function addMap(command: Command, terminal: Terminal): void {
  command
    .command('map')
    .description('the pool as a picture')
    .argument('<pool>', 'name or id')
    .option('--subnet <cidr>', 'one of several')
    .option('--json', 'for programs')
    .action(async (name: string, { subnet, json }: Shown & { readonly subnet?: string }) => {
      const client = await terminal.client()
      const found = await client.ask(path(name, 'map'), { shape: map, query: { subnet } })
      show(terminal, json, found, () => drawn(found))
    })
}
