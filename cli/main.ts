/** The words of `./berth` that are said to a cloud, here or elsewhere, over HTTP. */
import { Command, type CommanderError } from 'commander'
import { clientSettings } from '../core/client-settings.ts'
import { Invalid, messageOf } from '../core/errors.ts'
import { Client } from './client.ts'
import { backupCommand } from './backup.ts'
import { hostCommand } from './host/command.ts'
import { imageCommand } from './image.ts'
import { migrationCommand } from './migration.ts'
import { poolCommand } from './pool/command.ts'
import { serverCommand } from './server.ts'
import { portCommand } from './port.ts'

const program = new Command('berth')
  .showHelpAfterError('(--help shows how)')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'berth: ')) })
  .exitOverride((error: CommanderError) => {
    process.exit(error.exitCode === 0 ? 0 : 2)
  })

/** Commands that were put together on their own hear only here how the program ends and what it says of wrong words. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent)
  for (const one of command.commands) inherit(one, command)
  return command
}

const terminal = {
  client: async () => Client.open(clientSettings()),
  print: (text: string) => void process.stdout.write(text),
  isLive: process.stdout.isTTY,
}
for (const command of [
  backupCommand,
  poolCommand,
  hostCommand,
  imageCommand,
  serverCommand,
  migrationCommand,
  portCommand,
])
  program.addCommand(inherit(command(terminal), program))

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`berth: ${messageOf(error)}\n`)
  process.exitCode = error instanceof Invalid ? 2 : 1
}
