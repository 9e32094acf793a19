/** The engine, asked for one container by its id or name. */
import type Docker from 'dockerode'
import { messageOf, PartSilent, Unavailable } from '../../core/errors.ts'
import { isMissing, type Inspected } from './guest.ts'
import { removeOciSpec } from './oci-spec.ts'

export interface Engine {
  readonly docker: Docker
  readonly ociDirectory: string
}

/** @returns null when there is none */
export async function inspectContainer({ docker }: Engine, idOrName: string): Promise<Inspected | null> {
  try {
    return await docker.getContainer(idOrName).inspect()
  } catch (error) {
    if (isMissing(error)) return null
    throw new PartSilent(`Docker does not answer: ${messageOf(error)}`, { cause: error })
  }
}

/** Kills and deletes a container, with what the runtime wrapper reads of it. Removing what is missing succeeds. */
export async function removeContainer(engine: Engine, name: string): Promise<void> {
  const found = await inspectContainer(engine, name)
  if (!found) return
  try {
    await engine.docker.getContainer(found.Id).remove({ force: true, v: true })
  } catch (error) {
    if (!isMissing(error)) throw new Unavailable(`${name} was not removed: ${messageOf(error)}`, { cause: error })
  }
  await removeOciSpec(engine.ociDirectory, found.Id)
}
