/** A server's spec beside its guest: from these files rows can be told again when the database is lost. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Vif } from '../core/network.ts'
import type { Server } from '../core/server.ts'

function directoryOf(home: string, serverId: string): string {
  return join(home, 'guests', serverId)
}

/** Written beside and renamed, so that a crash leaves the old one or the new one. */
export async function writeSpecFile(home: string, server: Server, vifs: readonly Vif[]): Promise<void> {
  const directory = directoryOf(home, server.id)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'spec.json')
  await writeFile(`${path}.new`, JSON.stringify({ server, vifs }, null, 2), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

export async function removeSpecFile(home: string, serverId: string): Promise<void> {
  await rm(directoryOf(home, serverId), { recursive: true, force: true })
}
