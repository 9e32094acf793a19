/** The engine, asked for one container by its id or name. */
import type Docker from 'dockerode'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, PartSilent, Unavailable } from '../../core/errors.ts'
import { containerName } from './container.ts'
import { disksLabel, removeDisks } from './disks.ts'
import { alreadyThus, isMissing, isSilence, isUnchanged, toCloudError, type Inspected } from './guest.ts'
import { removeOciSpec } from './oci-spec.ts'
import { endShims } from './shims.ts'

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

/** @returns null when the server has no guest here; one that was set aside is none */
export async function findGuest(engine: Engine, serverId: string): Promise<Inspected | null> {
  return await inspectContainer(engine, containerName(serverId))
}

/** Kills and deletes a container, with its disks and what the runtime wrapper reads of it. Removing what is missing succeeds. */
export async function removeContainer(engine: Engine, name: string): Promise<void> {
  const found = await inspectContainer(engine, name)
  if (!found) return
  // One that the engine forgot runs although it says otherwise.
  if (!found.State.Running) endShims(found.Id)
  try {
    await engine.docker.getContainer(found.Id).remove({ force: true, v: true })
  } catch (error) {
    if (!isMissing(error)) throw new Unavailable(`${name} was not removed: ${messageOf(error)}`, { cause: error })
  }
  await removeOciSpec(engine.ociDirectory, found.Id)
  await removeDisks(engine.ociDirectory, found.Config.Labels[disksLabel] ?? '')
}

/** @throws PartSilent, Unavailable */
export async function createContainer(
  { docker }: Engine,
  serverId: string,
  options: Docker.ContainerCreateOptions,
): Promise<Docker.Container> {
  try {
    return await docker.createContainer(options)
  } catch (error) {
    const message = `Docker made no container for server ${serverId}: ${messageOf(error)}`
    throw isSilence(error) ? new PartSilent(message, { cause: error }) : new Unavailable(message, { cause: error })
  }
}

type Work<T> = (container: Docker.Container) => Promise<T>

/** Calls the engine on a guest's container. A refusal that says it is thus already counts as done. */
export async function callGuest<T>(engine: Engine, serverId: string, work: Work<T>): Promise<T>
export async function callGuest(engine: Engine, serverId: string, work: Work<unknown>, done: RegExp): Promise<void>
export async function callGuest(
  { docker }: Engine,
  serverId: string,
  work: Work<unknown>,
  done?: RegExp,
): Promise<unknown> {
  try {
    return await work(docker.getContainer(containerName(serverId)))
  } catch (error) {
    if (done && isUnchanged(error, done)) return undefined
    throw toCloudError(error, serverId)
  }
}

/** What the engine, or containerd below it, says of a container that it started once, and was killed before it wrote that down. */
const forgotten = /id already in use|(?:task|container) \S+: already exists/i
const mostTries = 20
const pauseMs = 250

/**
 * Starts a container. What an engine forgot of it is ended before: nobody knows what that guest has done since.
 *
 * @throws PartSilent when that does not end in time
 */
export async function startContainer(engine: Engine, serverId: string, { Id }: Pick<Inspected, 'Id'>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await callGuest(engine, serverId, (container) => container.start(), alreadyThus.start)
      return
    } catch (error) {
      if (!forgotten.test(messageOf(error))) throw error
      if (tries === mostTries) throw new PartSilent(messageOf(error), { cause: error })
      endShims(Id)
    }
    await sleep(pauseMs)
  }
}
