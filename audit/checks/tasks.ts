import { taskSeconds } from '../../core/deadlines.ts'
import { runningTasks } from '../../db/drift.ts'
import { lostTasks, takeUp } from '../../jobs/lost.ts'
import type { Check } from '../check.ts'

/** A job is added in the transaction that begins its task, so a task without one is lost; handing over from job to job takes less. */
const graceSeconds = 10

export const tasks: Check = {
  name: 'tasks',
  holds: 'each task of a server has a job that will end it, and none is older than its deadline',
  async run({ db }) {
    const lost = await lostTasks(db, { graceSeconds })
    const late = (await runningTasks(db)).filter(
      ({ serverId, taskState, seconds }) =>
        seconds > taskSeconds(taskState) && !lost.some((one) => one.serverId === serverId),
    )
    return [
      ...lost.map((task) => ({
        text: `server ${task.serverId} shows task ${task.taskState}, and no job is there to end it`,
        remedy: 'the task is begun again, or ended in error with a fault',
        repair: () => db.transaction((trx) => takeUp(trx, task)),
      })),
      ...late.map(({ serverId, taskState }) => ({
        text: `server ${serverId} shows task ${taskState} for longer than ${taskSeconds(taskState)} s`,
        advice: 'its job runs still: ./berth logs agent says at what',
      })),
    ]
  },
}
