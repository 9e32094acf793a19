/** How many servers one request makes. Source: nova/compute/api.py, _check_num_instances_quota. */
import { Invalid } from '../../../core/errors.ts'
import type { Transaction } from '../../../db/connect.ts'
import { roomOf, type ProjectUse } from '../../../db/quotas.ts'
import type { CreateServer } from './create-body.ts'

/** All rows of a request are made in one transaction, which others of the project wait for. */
const mostAtOnce = 1000

/**
 * As many as are asked for at most; where the quota has no room for all, as many as it has, but no fewer than the least. Whether there is
 * room for those is found when they are written.
 *
 * @param each what one of them takes
 * @throws     Invalid
 */
export async function countOf(
  trx: Transaction,
  { min_count, max_count }: Pick<CreateServer, 'min_count' | 'max_count'>,
  owner: { readonly projectId: string; readonly userId: string },
  each: ProjectUse,
): Promise<number> {
  const least = min_count ?? 1
  const most = max_count ?? least
  if (least > most) throw new Invalid('min_count must be <= max_count')
  if (most > mostAtOnce) throw new Invalid(`max_count: one request makes ${mostAtOnce} servers at most`)
  if (least === most) return most
  return Math.min(most, Math.max(least, await roomOf(trx, owner, each)))
}
