/** The disk of a guest that moves, put into the registry while it is off: not before the registry is known to take it. */
import { PartSilent } from '../../core/errors.ts'
import { reach } from '../../core/failpoints.ts'
import type { Server } from '../../core/server.ts'
import type { Move } from '../../db/moves.ts'
import { whileWriting } from '../../db/registry-writers.ts'
import { step } from '../create.ts'
import type { Host } from '../host.ts'
import { putDisk } from '../save-image.ts'
import { MoveProgress } from './progress.ts'

const answerMs = 5000
/** Nobody answers at the guest's address while this passes. */
const silenceMs = 6000

interface Steps {
  /** the guest is off when this returns, and stays so */
  readonly stop: () => Promise<void>
  /** what can be done beside the push; both are over when the push returns or throws */
  readonly beside: () => Promise<void>
}

async function send(host: Host, server: Server, progress: MoveProgress, { stop, beside }: Steps): Promise<string> {
  const wish = { name: `servers/${server.id}`, keepsIdentity: true, isOff: true, silenceMs }
  let other: Promise<{ readonly error: unknown } | null> = Promise.resolve(null)
  const sending = putDisk(host, server, wish, {
    beforeCapture: async () => {
      await stop()
      await progress.enter('sync')
      other = beside().then(
        () => null,
        (error: unknown) => ({ error }),
      )
    },
    inTurn: (work) => work(),
    afterCapture: () => Promise.resolve(),
    onBytes: (bytes) => progress.add(bytes),
  })
  const [sent] = await Promise.allSettled([step(server.id, 'disk', sending)])
  const left = await other
  if (sent.status === 'rejected') throw sent.reason
  if (left) throw left.error
  return sent.value.reference
}

/**
 * As an image, on top of the one that the guest was made of.
 *
 * @returns its reference by digest
 * @throws  PartSilent while the registry does not answer, and the guest runs on; Unavailable when it breaks off
 */
export async function push(host: Host, server: Server, move: Move, steps: Steps): Promise<string> {
  const { config, db, registry } = host
  if (!(await registry.answers(answerMs)))
    throw new PartSilent('The registry does not answer: the guest was not stopped.')
  const progress = new MoveProgress(host, move)
  const reference = await whileWriting(db, () => send(host, server, progress, steps))
  await progress.end()
  reach(config, 'agent.migrate.pushed')
  return reference
}
