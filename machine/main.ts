/** The launcher's words. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option, type CommanderError } from 'commander'
import { hasClientSettings } from '../core/client-settings.ts'
import { loadConfig } from '../core/config.ts'
import { Invalid, messageOf } from '../core/errors.ts'
import { layoutOf } from './layout.ts'
import { oneAtATime } from './one-at-a-time.ts'
import type { JoinWords } from './join.ts'
import type { Site } from './parts/part.ts'

function siteHere(): Site {
  const config = loadConfig()
  return { config, layout: layoutOf(config.home) }
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

/** Hands the terminal to another program and ends as it does. */
async function become(
  command: string,
  words: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = spawn(command, words, { stdio: 'inherit', env: { ...process.env, ...more } })
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

const program = new Command('berth')
  .description('Docker containers as virtual machines, behind a Nova-compatible API')
  .enablePositionalOptions()
  .showHelpAfterError('(./berth help shows all commands)')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'berth: ')) })
  .exitOverride((error: CommanderError) => {
    process.exit(error.exitCode === 0 ? 0 : 2)
  })

program
  .command('up')
  .description('install what is missing, start everything, boot a first server')
  .option('--no-hello', 'boot no first server')
  .option(
    '--hosts <count>',
    'make this machine that many compute hosts, each with an engine and a switch of its own',
    whole,
  )
  .action(async ({ hello, hosts }: { hello: boolean; hosts?: number }) => {
    const { up } = await import('./up.ts')
    const config = loadConfig()
    await oneAtATime(config.home, 'up', () => up(config, { hello, hosts: hosts ?? null }))
  })
program
  .command('down')
  .description('shut the guests down and stop everything; up brings all of it back')
  .option('--keep-guests', 'leave guests running')
  .option('--purge', 'remove every trace: guests, images, database, users, files')
  .action(async ({ keepGuests = false, purge: isPurge = false }: { keepGuests?: boolean; purge?: boolean }) => {
    if (keepGuests && isPurge) throw new Invalid('--keep-guests and --purge exclude each other')
    const config = loadConfig()
    await oneAtATime(config.home, 'down', async () => {
      const [{ down }, { purge }] = await Promise.all([import('./down.ts'), import('./purge.ts')])
      if (isPurge) await purge(config)
      else await down(config, { keepGuests })
    })
  })
program
  .command('status')
  .description('each part: up or down, pid, where it answers')
  .option('--json', 'for programs')
  .action(async ({ json = false }: { json?: boolean }) => {
    const { statusOf, statusTable } = await import('./status.ts')
    const lines = await statusOf(siteHere())
    process.stdout.write(`${json ? JSON.stringify(lines, null, 2) : statusTable(lines)}\n`)
    if (lines.some(({ state }) => state === 'down')) process.exitCode = 1
  })
program
  .command('logs')
  .description('the log of a part: postgres, docker, ovs-vswitchd, registry, lxcfs, api, scheduler, agent, ...')
  .argument('<part>')
  .option('-f, --follow', 'go on as it grows')
  .option('-n, --lines <count>', 'how many lines', whole, 100)
  .action(async (part: string, { follow = false, lines }: { follow?: boolean; lines: number }) => {
    const { logPath, logNames } = await import('./logs.ts')
    const path = logPath(siteHere(), part)
    if (path === null) {
      const known = logNames(siteHere())
      throw new Invalid(`no log of '${part}'; there ${known.length === 0 ? 'is none yet' : `are: ${known.join(', ')}`}`)
    }
    await become('tail', ['-n', String(lines), ...(follow ? ['-F'] : []), path])
  })
program
  .command('doctor')
  .description('what this machine lacks, and which part of the cloud is down; changes nothing')
  .action(async () => {
    const { doctor } = await import('./doctor.ts')
    process.exitCode = (await doctor(siteHere())) ? 0 : 1
  })
program
  .command('audit')
  .description('every invariant of the cloud and of this host; exit code 1 when one does not hold')
  .option('--repair', 'mend what is safe to mend, and say what is not')
  .option('--json', 'for programs')
  .option('--settle <seconds>', 'how long drift may take to settle by itself', whole, 4)
  .action(async (options: { repair?: boolean; json?: boolean; settle: number }) => {
    const { audit } = await import('./audit.ts')
    process.exitCode = await audit(siteHere(), options)
  })
program
  .command('schedule')
  .description('where a server would go, and why not elsewhere; promises nothing')
  .option('--dry-run', 'must be said: servers are scheduled when they are made')
  .option('--flavor <name>', 'must be said; here and below: a name or an id')
  .option('--image <name>')
  .option('--network <name>')
  .option('--zone <name>')
  .option('--host <name>', 'there and nowhere else')
  .option('--group <name>', 'as a member of this server group')
  .option('--same-host <server>', 'where this one stands; said again, or this one')
  .option('--different-host <server>', 'where this one does not stand; said again, nor this one')
  .option('--project <name>', 'for whom; some hosts may be for certain projects alone')
  .option('--json', 'for programs')
  .action(async () => {
    const site = siteHere()
    const { environmentOfService } = await import('./services.ts')
    const main = join(site.layout.project, 'scheduler', 'explain', 'main.ts')
    const words = process.argv.slice(process.argv.indexOf('schedule') + 1)
    const command = ['--disable-warning=ExperimentalWarning', main, ...words]
    await become(process.execPath, command, await environmentOfService(site, 'scheduler'))
  })
const agent = program.command('agent').description('this machine as a host of a cloud that is elsewhere')
agent
  .command('join')
  .description('install, check and register this machine as a host; ./berth host token, there, prints both words')
  .argument('<url>', 'of the API of the cloud')
  .argument('<token>')
  .option('--name <host>', 'instead of the name of the machine')
  .option('--address <address>', 'where the API reaches this machine; none = the address from which it is reached')
  .option('--uplink <nic>', "a NIC or bond that carries the guests' VLANs, and nothing else")
  .option('--rack <name>', 'what this machine loses power and network together with')
  .option('--systemd', 'bring the host back after each boot of the machine', false)
  .action(async (url: string, token: string, words: Partial<JoinWords>) => {
    const { join: joinCloud } = await import('./join.ts')
    const { name = null, address = null, uplink = null, rack = null, systemd = false } = words
    const config = loadConfig()
    await oneAtATime(config.home, 'agent join', () =>
      joinCloud(config, url, token, { name, address, uplink, rack, systemd }),
    )
  })
program
  .command('config')
  .description('every setting with its unit, reason and variable')
  .action(async () => {
    const { configText } = await import('./config-text.ts')
    process.stdout.write(configText(loadConfig()))
  })
program
  .command('env')
  .description('shell exports for OpenStack clients: eval "$(./berth env)"')
  .action(async () => {
    const { shellExports, writeCloudsYaml } = await import('./env.ts')
    const site = siteHere()
    await writeCloudsYaml(site)
    process.stdout.write(await shellExports(site))
  })
program
  .command('ssh')
  .description('log in to a server, or run a command in it')
  .argument('<name>')
  .argument('[command...]')
  .passThroughOptions()
  .action(async (name: string, command: readonly string[]) => {
    const [{ Cloud }, { sshCommand }, { knownPassword }] = await Promise.all([
      import('./cloud.ts'),
      import('./hello.ts'),
      import('./secrets.ts'),
    ])
    const site = siteHere()
    const cloud = await Cloud.open(site.config, await knownPassword(site))
    const [first, ...words] = await sshCommand(site, cloud, await cloud.serverNamed(name))
    await become(first, [...words, ...command])
  })
program
  .command('bench')
  .description('run one of bench/ beside its floor')
  .argument('<name>')
  .argument('[words...]')
  .allowUnknownOption()
  .action(async (name: string, words: readonly string[]) => {
    const { layout } = siteHere()
    const directory = join(layout.project, 'bench')
    const known = existsSync(directory)
      ? readdirSync(directory)
          .filter((file) => file.endsWith('.ts'))
          .map((file) => file.replace(/\.ts$/, ''))
      : []
    if (!known.includes(name)) throw new Invalid(`no benchmark '${name}'; there are: ${known.join(', ')}`)
    const { installPackages, testPackages } = await import('./packages.ts')
    await installPackages(layout.log, testPackages)
    await become(process.execPath, ['--disable-warning=ExperimentalWarning', join(directory, `${name}.ts`), ...words])
  })
const suite = program
  .command('test')
  .description('the whole test suite, in namespaces and a home of its own')
  .argument(
    '[paths...]',
    "files, folders or patterns; 'faults' = every fault, with a table; 'chaos' = a random run of faults",
  )
  .option('--seed <number>', 'of the random run: the same faults in the same order', whole)
  .option('--minutes <number>', 'length of the random run', whole)
  .option('--moves <number>', 'of servers back and forth between two hosts, in a run of faults/moves', whole)
  .action(async (paths: readonly string[], options: { seed?: number; minutes?: number; moves?: number }) => {
    if ((options.seed ?? options.minutes) !== undefined && !paths.some((path) => /faults|chaos/.test(path)))
      throw new Invalid('--seed and --minutes are of the random run: ./berth test chaos')
    if (options.moves !== undefined && !paths.some((path) => path.startsWith('faults')))
      throw new Invalid('--moves is of the run of moves: ./berth test faults/moves')
    const { test } = await import('./test.ts')
    process.exitCode = await test({ paths, ...options })
  })
suite
  .command('conformance')
  .description("OpenStack's own judges on a cloud of their own: Tempest and the real clients")
  .argument('[regex]', "names of Tempest's tests; none = all that is about servers, and the clients")
  .addOption(new Option('--smoke', 'what Tempest calls its smoke test, and the server actions').conflicts('clients'))
  .option('--clients', 'only openstack, nova and openstacksdk')
  .option('--hosts <count>', 'of the cloud; from two on servers move between them', whole, 1)
  .option('--logs <directory>', 'keep the logs of the run there')
  .action(
    async (
      regex: string | undefined,
      options: { smoke?: boolean; clients?: boolean; hosts: number; logs?: string },
    ): Promise<void> => {
      const { conformance } = await import('./conformance.ts')
      const part = options.smoke ? 'smoke' : options.clients ? 'clients' : (regex ?? 'whole')
      process.exitCode = await conformance({ part, hosts: options.hosts, logs: options.logs })
    },
  )

// Words said to a cloud over HTTP: the one that the environment names, else the one here.
for (const [word, description] of [
  ['pool', 'IP pools: list, show, create, reserve, find, map, import, ...'],
  ['host', 'hosts: list, show, set, disable, maintenance, enable, drain, token'],
  ['server', 'servers: why'],
  ['image', 'images: list, cache, gc, export, import'],
  ['backup', 'backups that are taken by themselves: list, set, remove'],
  ['migration', 'servers on the move: list, watch'],
  ['port', 'ports: show, and trace from one to another'],
] as const)
  program
    .command(word)
    .description(description)
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: readonly string[]) => {
      const site = siteHere()
      const { clientVariables } = await import('./env.ts')
      const needsNoCloud = words.length === 0 || words.some((one) => one === '--help' || one === '-h')
      const here = hasClientSettings() || needsNoCloud ? {} : await clientVariables(site)
      const main = join(site.layout.project, 'cli', 'main.ts')
      await become(process.execPath, ['--disable-warning=ExperimentalWarning', main, word, ...words], here)
    })

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`berth: ${messageOf(error)}\n`)
  process.exitCode = error instanceof Invalid ? 2 : 1
}
