import { dropJob, freeJob, lockedByTheDead, spentJobs } from '../../jobs/lost.ts'
import type { Check } from '../check.ts'

export const jobs: Check = {
  name: 'jobs',
  holds: 'no job is held by a worker that is dead, and none has used up its attempts',
  async run({ db }) {
    return [
      ...(await lockedByTheDead(db)).map((lock) => ({
        text: `job ${lock.jobId} (${lock.task} of server ${String(lock.serverId)}) is held by ${lock.lockedBy}, which is dead`,
        remedy: 'the job is free again',
        repair: () => freeJob(db, lock),
      })),
      ...(await spentJobs(db)).map(({ jobId, task, serverId, lastError }) => ({
        text: `job ${jobId} (${task} of server ${String(serverId)}) failed too often: ${String(lastError)}`,
        remedy: 'the job goes; a task that waits for it is then told as lost',
        repair: () => dropJob(db, jobId),
      })),
    ]
  },
}
