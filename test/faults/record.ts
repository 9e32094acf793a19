/** What each fault came to; `./berth test` prints it as a table at the end of the run. */
import { appendFileSync } from 'node:fs'
import { faultRecordPath, type FaultRecord } from '../../machine/fault-table.ts'
import { room } from '../world/index.ts'

export function record(entry: FaultRecord): void {
  appendFileSync(faultRecordPath(room().layout), `${JSON.stringify(entry)}\n`)
}

/** Whether this run tries everything (`./berth test faults`), or the part of it that a CI has time for. */
export const isFull = process.env.BERTH_TEST_FAULTS === 'full'
