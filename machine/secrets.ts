import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { Forbidden, hasCode, Unavailable } from '../core/errors.ts'
import type { Site } from './parts/part.ts'

/** The first administrator's password: the setting's, else one made once, readable by root alone. */
export async function adminPassword({ config, layout }: Site): Promise<string> {
  if (config.adminPassword !== null) return config.adminPassword
  const path = join(layout.keys, 'admin-password')
  if (existsSync(path)) return (await readFile(path, 'utf8')).trim()
  const password = randomBytes(18).toString('base64url')
  await mkdir(layout.keys, { recursive: true, mode: 0o700 })
  await writeFile(path, password, { mode: 0o600 })
  return password
}

/** The same of a cloud that was up already. @throws Unavailable when there is none, Forbidden when it is not this user's to know */
export async function knownPassword({ config, layout }: Site): Promise<string> {
  if (config.adminPassword !== null) return config.adminPassword
  const path = join(layout.keys, 'admin-password')
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (hasCode(error, 'EACCES'))
      throw new Forbidden(`${path} is root's alone; remedy: the same as root`, { cause: error })
    throw new Unavailable(`there is no cloud at ${layout.home}; remedy: ./berth up`, { cause: error })
  }
}

export function sshKeyPath({ layout }: Site): string {
  return join(layout.keys, 'id_ed25519')
}

/** The key that logs in to the first server. @returns the public half */
export async function sshKey(site: Site): Promise<string> {
  const path = sshKeyPath(site)
  if (!existsSync(path)) {
    await mkdir(site.layout.keys, { recursive: true, mode: 0o700 })
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'berth', '-f', path], { timeout: 10_000 })
  }
  return (await readFile(`${path}.pub`, 'utf8')).trim()
}
