/** berth host set: what counts instead of the host's own settings. */
import type { Command } from 'commander'
import { Invalid } from '../../core/errors.ts'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { oneHost, pathOf, shownHost } from './hosts.ts'

/** The option -> the field, and whether it is a number. */
const settable = {
  cpuRatio: ['cpu_ratio', true],
  memoryRatio: ['memory_ratio', true],
  diskRatio: ['disk_ratio', true],
  reservedVcpus: ['reserved_vcpus', true],
  reservedMemory: ['reserved_memory_mib', true],
  reservedDisk: ['reserved_disk_gib', true],
  rack: ['rack', false],
} as const

interface SetOptions extends Shown, Readonly<Partial<Record<keyof typeof settable, string>>> {
  readonly trait?: readonly string[]
}

function fieldOf(option: keyof typeof settable, text: string): readonly [string, string | number | null] {
  const [field, isNumber] = settable[option]
  if (text === 'own') return [field, null]
  if (!isNumber) return [field, text]
  if (text.trim() === '' || Number.isNaN(Number(text)))
    throw new Invalid(`${field}: ${text} is neither a number nor 'own'`)
  return [field, Number(text)]
}

async function set(terminal: Terminal, name: string, options: SetOptions): Promise<void> {
  const keys: readonly (keyof typeof settable)[] = [
    'cpuRatio',
    'memoryRatio',
    'diskRatio',
    'reservedVcpus',
    'reservedMemory',
    'reservedDisk',
    'rack',
  ]
  const fields = keys.flatMap((key) => (options[key] === undefined ? [] : [fieldOf(key, options[key])]))
  const traits = options.trait?.filter((trait) => trait !== 'none')
  const body = { ...Object.fromEntries(fields), ...(traits === undefined ? {} : { traits }) }
  if (Object.keys(body).length === 0) throw new Invalid('nothing to set: --help shows what there is')
  const { host } = await (await terminal.client()).ask(pathOf(name), { shape: oneHost, method: 'PATCH', body })
  show(terminal, options.json, host, () => shownHost(host))
}

export function addSet(command: Command, terminal: Terminal): void {
  command
    .command('set')
    .description("what counts instead of the host's own settings; 'own' goes back to them")
    .argument('<host>')
    .option('--cpu-ratio <ratio>', 'vcpus promised per CPU')
    .option('--memory-ratio <ratio>', 'memory promised per memory')
    .option('--disk-ratio <ratio>', 'disk promised per disk')
    .option('--reserved-vcpus <count>', 'CPUs kept for the host itself')
    .option('--reserved-memory <MiB>', 'memory kept for the host itself')
    .option('--reserved-disk <GiB>', 'disk kept for the host itself')
    .option('--rack <name>', 'addresses of a subnet are spread over racks')
    .option('--trait <CUSTOM_NAME...>', "traits beside those of the machine, all of them; 'none' = no more")
    .option('--json', 'for programs')
    .action((name: string, options: SetOptions) => set(terminal, name, options))
}
