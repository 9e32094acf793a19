/** A second machine: namespaces and a home of its own, one cable for what hosts say to each other and one for the guests' VLANs. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import type { Site } from '../../machine/parts/part.ts'
import { removeCgroups } from '../../machine/purge.ts'
import { until } from './until.ts'

/** The addresses of both at their cable, and the ends of the other one. */
export const between = { first: '10.9.0.1', second: '10.9.0.2', uplink: 'trunk0', farUplink: 'trunk1' } as const
const cable = { near: 'plain0', far: 'plain1' } as const

export interface SecondMachine {
  readonly home: string
  /** where its clone of the project lies */
  readonly clone: string
  /** Runs a command there, in its clone. */
  run(...words: readonly string[]): Promise<{ readonly text: string; readonly exitCode: number }>
  /** All that runs there is killed, its home and its cables go. */
  end(): Promise<void>
}

async function run(program: string, ...words: readonly string[]): Promise<string> {
  return (await execa(program, words, { timeout: 30_000 })).stdout
}

/** As a fresh clone has it, but for the packages, which are those of this one. */
async function cloneTo(project: string, clone: string): Promise<void> {
  await mkdir(clone, { recursive: true })
  for (const name of await readdir(project))
    if (name !== 'node_modules' && name !== '.git')
      await cp(join(project, name), join(clone, name), { recursive: true })
  await symlink(join(project, 'node_modules'), join(clone, 'node_modules'))
}

/** The first process in the room: the shell of test-room.sh. */
async function firstOf(room: ChildProcess): Promise<string> {
  return await until(
    async () => (await readFile(`/proc/${room.pid}/task/${room.pid}/children`, 'utf8')).trim() || null,
    { timeoutMs: 20_000, what: 'a room' },
  )
}

async function layCables(pid: string): Promise<void> {
  const ends = [
    [cable.near, cable.far],
    [between.uplink, between.farUplink],
  ] as const
  for (const [near, far] of ends) {
    await run('ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', pid)
    await run('ip', 'link', 'set', near, 'up')
    await run('nsenter', '-t', pid, '-n', 'ip', 'link', 'set', far, 'up')
  }
  await run('ip', 'address', 'add', `${between.first}/24`, 'dev', cable.near)
  await run('nsenter', '-t', pid, '-n', 'ip', 'address', 'add', `${between.second}/24`, 'dev', cable.far)
}

export async function openSecondMachine({ config, layout }: Site): Promise<SecondMachine> {
  const home = join(layout.home, 'tmp', 'second')
  const clone = join(home, 'berth')
  for (const name of ['run', 'log', 'tmp', 'cache']) await mkdir(join(home, name), { recursive: true })
  await cloneTo(layout.project, clone)
  const flags = ['--net', '--mount', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc']
  const script = join(layout.project, 'machine', 'test-room.sh')
  const room = spawn('unshare', [...flags, script, home, 'sleep', 'infinity'], { stdio: 'ignore' })
  const pid = await firstOf(room)
  await until(async () => (await readFile(`/proc/${pid}/mounts`, 'utf8')).includes(' /etc overlay'), {
    timeoutMs: 20_000,
    what: 'a mounted room',
  })
  await layCables(pid)
  const prefix = `${config.namePrefix.slice(0, 9)}j`
  const env = {
    PATH: [dirname(process.execPath), '/usr/bin', '/usr/sbin', '/bin', '/sbin'].join(':'),
    HOME: home,
    BERTH_HOME: home,
    BERTH_NAME_PREFIX: prefix,
  }
  return {
    home,
    clone,
    run: async (...words) => {
      const inside = ['-t', pid, '-n', '-m', '-p', '-i', '--wd=' + clone, ...words]
      const options = { env, extendEnv: false, all: true, reject: false, timeout: 240_000 } as const
      const { all, exitCode } = await execa('nsenter', inside, options)
      return { text: all, exitCode: exitCode ?? -1 }
    },
    end: async () => {
      room.kill('SIGKILL')
      if (room.exitCode === null && room.signalCode === null) await once(room, 'exit')
      for (const device of [cable.near, between.uplink])
        await execa('ip', ['link', 'delete', device], { reject: false })
      const areGone = (): boolean => {
        removeCgroups(prefix)
        return true
      }
      await until(areGone, { timeoutMs: 20_000, what: 'the end of control groups' })
      await rm(home, { recursive: true, force: true })
    },
  }
}
