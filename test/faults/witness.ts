/** Running guests that are watched while something dies: they must not notice. */
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../world/index.ts'
import { addressOf, type User } from './user.ts'

const everyMs = 250
const bannerMs = 2000

/** Whether sshd of the guest says its first words. */
export async function knock(address: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = createConnection({ host: address, port: 22 })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(bannerMs, () => end(false))
    socket.once('error', () => end(false))
    socket.once('data', (text) => end(text.toString().startsWith('SSH-')))
  })
}

export interface Witness {
  readonly id: string
  readonly address: string
  /** start of PID 1, in the kernel's ticks */
  readonly bornAt: string
  /** what it reads of itself in /proc */
  readonly memory: string
}

/** @throws when the guest does not answer within half a minute */
export async function birthOf(user: User, address: string): Promise<string> {
  return await until(() => user.ssh(address, `cut -d' ' -f22 /proc/1/stat`), {
    timeoutMs: 30_000,
    what: `ssh to ${address}`,
  })
}

export async function witness(user: User, name: string): Promise<Witness> {
  const id = await user.running(name)
  const seen = await user.show(id)
  if (!seen) throw new Error(`server ${id} is gone`)
  const address = addressOf(seen)
  return { id, address, bornAt: await birthOf(user, address), memory: await memoryOf(user, address) }
}

/** The first line of /proc/meminfo, which is lxcfs's; '' while there is none. */
export async function memoryOf(user: User, address: string): Promise<string> {
  return (await user.ssh(address, 'head -n 1 /proc/meminfo')) ?? ''
}

/** Knocks at a guest until told to stop. @returns the longest time without an answer, in milliseconds */
export function watch(address: string): { readonly stop: () => Promise<number> } {
  const ending = new AbortController()
  const run = async (): Promise<number> => {
    let [lastMs, longestMs] = [performance.now(), 0]
    while (!ending.signal.aborted) {
      const isThere = await knock(address)
      longestMs = Math.max(longestMs, performance.now() - lastMs)
      if (isThere) lastMs = performance.now()
      await sleep(everyMs)
    }
    return longestMs
  }
  const ended = run()
  return {
    stop: async () => {
      ending.abort()
      return await ended
    },
  }
}
