/** Proportional memory (PSS) of the control plane: supervisor, api, scheduler, agent and Postgres with all of its processes. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ask } from '../machine/supervisor-protocol.ts'
import { print } from './measure/figures.ts'
import { site } from './measure/site.ts'

const parts = ['api', 'scheduler', 'agent', 'postgres']

async function pssMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024
}

async function childrenOf(parent: number): Promise<readonly number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : ''
    if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(parent)) found.push(Number(name))
  }
  return found
}

const { layout } = site()
const kept = await ask(layout.supervisorSocket, { op: 'status' })
const figures: Record<string, number> = {}
figures.supervisor_mib = await pssMiB(
  Number((await readFile(join(layout.run, 'supervisor.pid'), 'utf8')).split(' ')[0]),
)
for (const { name, pid } of kept) {
  if (pid === null || !parts.includes(name)) continue
  const children = name === 'postgres' ? await childrenOf(pid) : []
  let total = await pssMiB(pid)
  for (const child of children) total += await pssMiB(child)
  figures[`${name}_mib`] = total
}
const total = Object.values(figures).reduce((sum, one) => sum + one, 0)
print({ ...figures, total_mib: total, aim_mib: 300, ratio: total / 300 })
