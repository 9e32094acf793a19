import { readFile } from 'node:fs/promises'
import { execa } from 'execa'

export interface SystemUser {
  readonly uid: number
  readonly gid: number
}

async function find(name: string): Promise<SystemUser | null> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((one) => one.startsWith(`${name}:`))
  if (line === undefined) return null
  const fields = line.split(':')
  return { uid: Number(fields[2]), gid: Number(fields[3]) }
}

/** A system user without log-in; made when it is not there. */
export async function ensureUser(name: string): Promise<SystemUser> {
  const present = await find(name)
  if (present) return present
  await execa('useradd', ['--system', '--no-create-home', '--user-group', '--shell', '/usr/sbin/nologin', name], {
    timeout: 10_000,
  })
  const made = await find(name)
  if (!made) throw new Error(`user ${name} was not made`)
  return made
}

export async function removeUser(name: string): Promise<void> {
  if (await find(name)) await execa('userdel', [name], { timeout: 10_000, reject: false })
}
