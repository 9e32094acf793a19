/** The processes beside containers, which outlive their engine. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { kill } from 'node:process'
import { hasCode } from '../../core/errors.ts'

/** The words that a process was started by; none when it is gone. */
function wordsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return []
    throw error
  }
}

/** The process beside each container; an engine that is killed while it starts one leaves it without a container. */
function shims(): readonly { readonly pid: number; readonly id: string }[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    const [program = '', ...words] = wordsOf(pid)
    const id = words[words.indexOf('-id') + 1]
    return basename(program).startsWith('containerd-shim') && id !== undefined ? [{ pid: Number(pid), id }] : []
  })
}

/** The engine takes what runs beside one for dead, and kills it. */
export function endShims(id: string): void {
  for (const { pid } of shims().filter((shim) => shim.id === id)) {
    try {
      kill(pid, 'SIGKILL')
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error
    }
  }
}
