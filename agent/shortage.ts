/** What a host keeps for itself: with less, no new guest comes, and the reason names what is short, and where. */
import type { DiskRoom, Rest } from '../driver/strain.ts'

/** A small guest has twenty thousand. */
const leastFiles = 2000
/** The kernel, the engine and the agent go on with this much. */
const leastMemoryMiB = 128
/** A small guest boots with some ten; starting it takes as many again of the engine. */
const leastProcesses = 200

/** What is wrong with the disk of the guests, or null. */
export function shortageOfDisk({ path, freeMiB, totalMiB, freeFiles }: DiskRoom, reserveMiB: number): string | null {
  if (freeMiB < reserveMiB)
    return `the disk of the guests, ${path}, has ${freeMiB} MiB free of ${totalMiB} MiB; ${reserveMiB} MiB are kept`
  if (freeFiles !== null && freeFiles < leastFiles)
    return `the disk of the guests, ${path}, has room for ${freeFiles} more files; ${leastFiles} are kept`
  return null
}

export function shortageOfMemory({ path, free, total }: Rest): string | null {
  if (free >= leastMemoryMiB) return null
  return `the memory for guests, ${path}, has ${free} MiB free of ${total} MiB; ${leastMemoryMiB} MiB are kept`
}

export function shortageOfProcesses({ path, free, total }: Rest): string | null {
  if (free >= leastProcesses) return null
  return `the processes for guests, ${path}, are ${total} at most, and ${free} are free; ${leastProcesses} are kept`
}
