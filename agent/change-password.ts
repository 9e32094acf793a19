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

const changeTimeoutMs = 90_000
/** What cloud-init still does to a guest that has just booted would put its first password back. */
const command = ['sh', '-c', 'timeout 60 cloud-init status --wait > /dev/null 2>&1 < /dev/null; exec chpasswd']

/** The password goes to the guest's own chpasswd(8), over its standard input: the guest's process list does not show it. */
export async function changePassword(host: Host, payload: JobPayload<'server.change-password'>): Promise<void> {
  await carryOut(
    host,
    'server.change-password',
    payload,
    async ({ id }) => {
      const lines = (await usersOf(host, id)).map((user) => `${user}:${payload.password}\n`).join('')
      const { exitCode, output } = await host.driver.exec(id, command, changeTimeoutMs, lines)
      if (exitCode !== 0) throw new GuestFailed(id, 'chpasswd', output.trim())
    },
    { onFailure: 'unchanged' },
  )
}
