/** Files of the user's own for a new guest, before 2.57. Source: nova/compute/api.py, _check_injected_file_quota. */
import { posix } from 'node:path'
import { z } from 'zod'
import { Invalid, OverQuota } from '../../../core/errors.ts'
import type { PersonalFile } from '../../../core/jobs.ts'
import type { Transaction } from '../../../db/connect.ts'
import { quotasOf } from '../../../db/quotas.ts'

export const personality = z.array(z.strictObject({ path: z.string().min(1), contents: z.base64() }))

/** A path that does not begin at the root begins there all the same. */
function pathOf(path: string): string {
  const absolute = path.startsWith('/') ? path : `/${path}`
  if (absolute === '/' || posix.normalize(absolute) !== absolute || absolute.endsWith('/') || absolute.includes('\0'))
    throw new Invalid(`Invalid input for field/attribute path. Value: ${path}. It names no file of a guest`)
  return absolute
}

/** @throws Invalid, OverQuota */
export async function personalFiles(
  trx: Transaction,
  projectId: string,
  wanted: z.output<typeof personality> = [],
): Promise<readonly PersonalFile[]> {
  if (wanted.length === 0) return []
  const limits = await quotasOf(trx, projectId)
  const isOver = (amount: number, limit: number): boolean => limit >= 0 && amount > limit
  if (isOver(wanted.length, limits.injected_files)) throw new OverQuota('Personality file limit exceeded')
  for (const { path, contents } of wanted) {
    if (isOver(path.length, limits.injected_file_path_bytes))
      throw new OverQuota(`Personality file path exceeds maximum ${limits.injected_file_path_bytes}`)
    if (isOver(Buffer.from(contents, 'base64').length, limits.injected_file_content_bytes))
      throw new OverQuota(`Personality file content exceeds maximum ${limits.injected_file_content_bytes}`)
  }
  return wanted.map(({ path, contents }) => ({ path: pathOf(path), contents }))
}
