/** Processes of a part that stop and go on, as on a machine that swaps or a disk that hangs. */
import { readdirSync, readFileSync } from 'node:fs'

function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return parent === pid ? [Number(name)] : []
    } catch {
      // It ended while it was looked at.
      return []
    }
  })
}

/** The process, and for Postgres those that serve its clients. */
function family(name: string, pid: number): readonly number[] {
  return name === 'postgres' ? [pid, ...childrenOf(pid)] : [pid]
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It ended meanwhile.
    }
  }
}

/** @returns what lets it go on */
export function freeze(name: string, pid: number): () => void {
  const pids = family(name, pid)
  send(pids, 'SIGSTOP')
  return () => send(pids, 'SIGCONT')
}
