/** A room: namespaces and a home of its own, in which the user's cloud is neither seen nor touched. A kill leaves nothing of it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Site } from './parts/part.ts'

/** What those inside see of the environment: nothing that leads to the user's cloud. */
function environmentIn({ config, layout }: Site): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TERM', 'LANG', 'CI', 'FORCE_COLOR', 'NO_COLOR']
  return {
    ...Object.fromEntries(
      kept.flatMap((name): [string, string][] => {
        const value = process.env[name]
        return value === undefined ? [] : [[name, value]]
      }),
    ),
    BERTH_HOME: layout.home,
    BERTH_NAME_PREFIX: config.namePrefix,
    TMPDIR: join(layout.home, 'tmp'),
  }
}

/** Namespaces for network, mounts, processes and shared memory; all in them is killed when this process ends, however it ends. */
function spawnIn(site: Site, command: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const { project, home } = site.layout
  const room = ['unshare', '--net', '--mount', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc']
  const words = ['--pdeathsig', 'KILL', ...room, join(project, 'machine', 'test-room.sh'), home, ...command]
  return spawn('setpriv', words, { cwd: project, env: { ...environmentIn(site), ...env }, stdio: 'inherit' })
}

/**
 * Runs a command in a room, until it ends or this process is asked to.
 *
 * @param env   more of the environment
 * @param watch called every half second with the way to end the room at once
 * @returns     whether the command ended well, by itself
 */
export async function runInRoom(
  site: Site,
  command: readonly string[],
  { env = {}, watch }: { env?: Readonly<Record<string, string>>; watch?: (kill: () => void) => void } = {},
): Promise<boolean> {
  const room = spawnIn(site, command, env)
  const kill = (): void => void room.kill('SIGKILL')
  process.on('SIGINT', kill)
  process.on('SIGTERM', kill)
  const watching = setInterval(() => {
    watch?.(kill)
  }, 500)
  try {
    return await new Promise((resolve, reject) => {
      room.once('error', reject)
      room.once('exit', (code) => resolve(code === 0))
    })
  } finally {
    clearInterval(watching)
    process.off('SIGINT', kill)
    process.off('SIGTERM', kill)
  }
}
