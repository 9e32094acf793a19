/**
 * What is left of memory and processes for the guests of a host: of the machine, or of the control group that all guests share, where
 * it has less. Sources: kernel's cgroup-v1/memory.rst, cgroup-v1/pids.rst, cgroup-v2.rst, proc(5)
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Rest } from '../strain.ts'

const root = '/sys/fs/cgroup'
const mib = 1024 * 1024

async function numberIn(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '')
  // cgroup v2 says 'max', v1 the largest number of pages: no limit. No file, no group yet: no limit either.
  return /^\d+\s*$/.test(text) ? Number(text) : Infinity
}

/** The number after a key at the start of a line; 0 = none. */
function valueOf(text: string, key: string): number {
  return Number(new RegExp(`^${key}:?\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
}

function isUnified(): boolean {
  return existsSync(join(root, 'cgroup.controllers'))
}

function tighter(machine: Rest, group: Rest): Rest {
  return group.free < machine.free ? group : machine
}

async function memoryOfGroup(cgroupParent: string): Promise<Rest> {
  const path = join(root, isUnified() ? '' : 'memory', cgroupParent)
  const [limit, used] = await Promise.all([
    numberIn(join(path, isUnified() ? 'memory.max' : 'memory.limit_in_bytes')),
    numberIn(join(path, isUnified() ? 'memory.current' : 'memory.usage_in_bytes')),
  ])
  const statistics = await readFile(join(path, 'memory.stat'), 'utf8').catch(() => '')
  // Pages of files are given back when memory is asked for.
  const prefix = isUnified() ? '' : 'total_'
  const files = valueOf(statistics, `${prefix}inactive_file`) + valueOf(statistics, `${prefix}active_file`)
  const free = Number.isFinite(limit) && Number.isFinite(used) ? Math.floor((limit - used + files) / mib) : Infinity
  return { path, free, total: Math.floor(limit / mib) }
}

async function memoryOfMachine(): Promise<Rest> {
  const path = '/proc/meminfo'
  const text = await readFile(path, 'utf8')
  const of = (key: string): number => Math.floor(valueOf(text, key) / 1024)
  return { path, free: of('MemAvailable'), total: of('MemTotal') }
}

/** In MiB. */
export async function memoryLeft(cgroupParent: string): Promise<Rest> {
  return tighter(await memoryOfMachine(), await memoryOfGroup(cgroupParent))
}

async function processesOfGroup(cgroupParent: string): Promise<Rest> {
  const path = join(root, isUnified() ? '' : 'pids', cgroupParent)
  const [total, used] = await Promise.all([numberIn(join(path, 'pids.max')), numberIn(join(path, 'pids.current'))])
  return { path, total, free: Number.isFinite(used) ? Math.max(0, total - used) : Infinity }
}

async function processesOfMachine(): Promise<Rest> {
  const [largest, threads, load] = await Promise.all([
    numberIn('/proc/sys/kernel/pid_max'),
    numberIn('/proc/sys/kernel/threads-max'),
    readFile('/proc/loadavg', 'utf8'),
  ])
  const path = largest < threads ? '/proc/sys/kernel/pid_max' : '/proc/sys/kernel/threads-max'
  const total = Math.min(largest, threads)
  return { path, total, free: Math.max(0, total - Number(/\/(\d+) /.exec(load)?.[1] ?? 0)) }
}

/** Threads count as processes do. */
export async function processesLeft(cgroupParent: string): Promise<Rest> {
  return tighter(await processesOfMachine(), await processesOfGroup(cgroupParent))
}
