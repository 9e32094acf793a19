import { GuestFailed } from '../core/errors.ts'
import type { JobPayload } from '../core/jobs.ts'
import { carryOut } from './change.ts'
import type { Host } from './host.ts'

const timeoutMs = 20_000
/** As at the first boot: root, and the image's default user. */
const users = ['root', 'debian'] as const

async function usersOf({ driver }: Host, serverId: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const user of users)
    if ((await driver.exec(serverId, ['id', '-u', user], timeoutMs)).exitCode === 0) found.push(user)
  return found
}

/** The password goes to the guest's own chpasswd(8), over its standard input: the guest's process list does not show it. */
export async function changePassword(host: Host, payload: JobPayload<'server.change-password'>): Promise<void> {
  await carryOut(
    host,
    'server.change-password',
    payload,
    async ({ id }) => {
      const lines = (await usersOf(host, id)).map((user) => `${user}:${payload.password}\n`).join('')
      const { exitCode, output } = await host.driver.exec(id, ['chpasswd'], timeoutMs, lines)
      if (exitCode !== 0) throw new GuestFailed(id, 'chpasswd', output.trim())
    },
    { onFailure: 'unchanged' },
  )
}
