/** GET /servers/{id}/diagnostics: what a running guest uses, as its host counts. */
import { Conflict, ServerInvalidState } from '../../../core/errors.ts'
import { powerStates } from '../../../core/states.ts'
import type { Call, Reply } from '../../route.ts'
import { askAgent } from '../ask-agent.ts'
import { diagnosticsView } from '../views/diagnostics.ts'
import { diagnosis } from './figures.ts'
import { serverOf } from './find.ts'

function notRunning(id: string, powerState: number): ServerInvalidState {
  return new ServerInvalidState(id, 'get_diagnostics', `power state ${powerState}`)
}

export async function diagnostics(call: Call): Promise<Reply> {
  const server = await serverOf(call, call.params.id)
  const { id, host, powerState } = server
  if (host === null) throw new Conflict(`Instance ${id} is not ready`)
  if (powerState !== powerStates.running) throw notRunning(id, powerState)
  const what = `The diagnostics of ${id}`
  const text = await askAgent(call.db, host, { path: `/servers/${id}/diagnostics`, what })
  const { guest, nics } = diagnosis.parse(JSON.parse(text))
  if (guest === null) throw notRunning(id, powerStates.shutdown)
  return { status: 200, body: diagnosticsView(server, { guest, nics }, call.version) }
}
