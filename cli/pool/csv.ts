/** Addresses carried in and out as CSV. */
import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { counted } from '../../core/counted.ts'
import { Invalid, messageOf } from '../../core/errors.ts'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { path } from './path.ts'

const verdict = z.object({
  imported: z.number(),
  bad: z.array(z.object({ line: z.number(), address: z.string(), reason: z.string() })),
  dry_run: z.boolean(),
})
type Verdict = z.output<typeof verdict>

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Invalid(`${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    throw new Invalid(`${file} cannot be written: ${messageOf(error)}`, { cause: error })
  }
}

function said({ imported, bad, dry_run: isDry }: Verdict): string {
  if (bad.length > 0) return bad.map(({ line, address, reason }) => `line ${line}, ${address}: ${reason}\n`).join('')
  return `${counted(imported, 'address', 'addresses')} ${isDry ? 'would be ' : ''}reserved\n`
}

function addImport(command: Command, terminal: Terminal): void {
  command
    .command('import')
    .description(
      'reserve the addresses of a CSV with the header address,name,note: all of them, or none when a line is bad',
    )
    .argument('<pool>', 'name or id')
    .argument('<file>')
    .option('--dry-run', 'only say what would be')
    .option('--json', 'for programs')
    .action(async (name: string, file: string, { dryRun, json }: Shown & { readonly dryRun?: boolean }) => {
      const body = { csv: await textOf(file) }
      const query = { dry_run: dryRun ? 'true' : undefined }
      const client = await terminal.client()
      const asked = { method: 'POST', body, query, shape: verdict, alsoGood: [400] } as const
      const found = await client.ask(path(name, 'import'), asked)
      show(terminal, json, found, () => said(found))
      const { length } = found.bad
      if (length > 0) throw new Invalid(`${counted(length, 'bad line')} in ${file}: nothing was imported`)
    })
}

function addExport(command: Command, terminal: Terminal): void {
  command
    .command('export')
    .description('the used and reserved addresses as CSV')
    .argument('<pool>', 'name or id')
    .argument('[file]', 'none = to the terminal')
    .action(async (name: string, file: string | undefined) => {
      const shape = z.object({ csv: z.string() })
      const { csv } = await (await terminal.client()).ask(path(name, 'export'), { shape })
      if (file === undefined) terminal.print(csv)
      else await write(file, csv)
    })
}

export function addCarriers(command: Command, terminal: Terminal): void {
  addImport(command, terminal)
  addExport(command, terminal)
}
