/** Images on this host: pulled by digest when they are not there, and refused when they have nothing to boot. */
import type Docker from 'dockerode'
import { z } from 'zod'
import { Invalid, messageOf, Unavailable } from '../../core/errors.ts'

const inits = ['/sbin/init', '/lib/systemd/systemd', '/usr/lib/systemd/systemd', '/usr/sbin/init', '/bin/init', '/init']
const labelInit = 'berth.init'

const imageShape = z.object({
  Id: z.string(),
  Config: z.object({
    Labels: z.record(z.string(), z.string()).nullish(),
    Cmd: z.array(z.string()).nullish(),
    Entrypoint: z.array(z.string()).nullish(),
  }),
})

/** A name under which the engine finds an image in a registry, and who it is there. */
export interface ImageSource {
  readonly reference: string
  readonly authconfig: { readonly username: string; readonly password: string; readonly serveraddress: string } | null
}

/** Where an image of this reference can be had, the best place first. */
export type ImageSources = (reference: string) => Promise<readonly ImageSource[]>

export interface LocalImage {
  readonly id: string
  /** the program that becomes PID 1 */
  readonly init: string
  readonly isSystemd: boolean
}

function statusOf(error: unknown): number | null {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : null
}

/** Waits for the end of a stream of progress. @throws with the engine's own words */
async function follow(docker: Docker, stream: NodeJS.ReadableStream): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}

type Inspected = z.output<typeof imageShape>

/** @returns the first that is here */
async function inspect(docker: Docker, names: readonly string[]): Promise<Inspected | null> {
  for (const name of names) {
    try {
      return imageShape.parse(await docker.getImage(name).inspect())
    } catch (error) {
      if (statusOf(error) !== 404) throw error
    }
  }
  return null
}

async function pull(docker: Docker, { reference, authconfig }: ImageSource, signal?: AbortSignal): Promise<void> {
  const options = { ...(authconfig ? { authconfig } : {}), ...(signal ? { abortSignal: signal } : {}) }
  await follow(docker, await docker.pull(reference, options))
}

/** From the first source that has it. @throws with what the last one said: that is the registry itself */
async function pullFrom(
  docker: Docker,
  sources: readonly ImageSource[],
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const [first, ...others] = sources
  if (!first) throw new Invalid(`Image ${reference} is not here, and no registry has it.`)
  try {
    await pull(docker, first, signal)
  } catch (error) {
    if (others.length > 0 && signal?.aborted !== true) {
      await pullFrom(docker, others, { reference, signal })
      return
    }
    const reason = messageOf(error)
    if (/not found|manifest unknown/i.test(reason))
      throw new Invalid(`Image ${reference} is not in the registry.`, { cause: error })
    throw new Unavailable(`Image ${reference} was not pulled: ${reason}`, { cause: error })
  }
}

/** Looks for an init in the image's file system: a container that is never started is made and removed. */
async function findInit(docker: Docker, id: string): Promise<string | null> {
  const probe = await docker.createContainer({ Image: id, Cmd: ['/sbin/init'], HostConfig: { NetworkMode: 'none' } })
  try {
    for (const path of inits) {
      try {
        await probe.infoArchive({ path })
        return path
      } catch (error) {
        if (statusOf(error) !== 404) throw error
      }
    }
    return null
  } finally {
    await probe.remove({ force: true })
  }
}

/**
 * @param reference by digest, such as '127.0.0.1:5010/images/debian-12@sha256:...', or a local id
 * @throws Invalid when there is no such image, or it has no init
 */
export async function ensureLocal(
  docker: Docker,
  reference: string,
  { sources, signal }: { readonly sources: ImageSources; readonly signal?: AbortSignal | undefined },
): Promise<LocalImage> {
  let image = await inspect(docker, [reference])
  if (!image) {
    const places = await sources(reference)
    const names = places.map((place) => place.reference)
    image = await inspect(docker, names)
    if (!image) {
      await pullFrom(docker, places, { reference, signal })
      image = await inspect(docker, names)
    }
  }
  if (!image) throw new Unavailable(`Image ${reference} was pulled and is not there.`)
  const label = image.Config.Labels?.[labelInit]
  if (label !== undefined) return { id: image.Id, init: '/sbin/init', isSystemd: label === 'systemd' }
  const words = [...(image.Config.Entrypoint ?? []), ...(image.Config.Cmd ?? [])]
  const init = words.length === 1 && inits.includes(words[0] ?? '') ? words[0] : await findInit(docker, image.Id)
  if (init === undefined || init === null) {
    throw new Invalid(
      `Image ${reference} has no init: none of ${inits.join(', ')} is in it, so it cannot boot as a machine.`,
    )
  }
  return { id: image.Id, init, isSystemd: true }
}

/** By digest, of every image that came from a registry or went to one. */
export async function listReferences(docker: Docker): Promise<readonly string[]> {
  const shape = z.array(z.object({ RepoDigests: z.array(z.string()).nullish() }))
  try {
    return shape.parse(await docker.listImages()).flatMap(({ RepoDigests }) => RepoDigests ?? [])
  } catch (error) {
    throw new Unavailable(`Docker does not list its images: ${messageOf(error)}`, { cause: error })
  }
}

/** Under each name that is ours. @returns false when the engine has a container of it */
export async function removeImage(
  docker: Docker,
  digest: string,
  isOurs: (reference: string) => boolean,
): Promise<boolean> {
  const names = (await listReferences(docker)).filter((name) => name.endsWith(`@${digest}`) && isOurs(name))
  for (const name of names) {
    try {
      await docker.getImage(name).remove()
    } catch (error) {
      if (statusOf(error) === 409) return false
      if (statusOf(error) !== 404)
        throw new Unavailable(`Image ${name} was not removed: ${messageOf(error)}`, { cause: error })
    }
  }
  return names.length > 0
}

/** Bytes of all layers of the engine, each counted once. */
export async function imageBytes(docker: Docker): Promise<number> {
  try {
    return z.object({ LayersSize: z.number() }).parse(await docker.df()).LayersSize
  } catch (error) {
    throw new Unavailable(`Docker does not tell what its images take: ${messageOf(error)}`, { cause: error })
  }
}

/** A container of an image that is never started: its file system is the image's. One that a killed process left goes first. */
export async function imageContainer(docker: Docker, id: string, name: string): Promise<Docker.Container> {
  await removeScratch(docker, name)
  return await docker.createContainer({ name, Image: id, Cmd: ['/sbin/init'], HostConfig: { NetworkMode: 'none' } })
}

export async function removeScratch(docker: Docker, name: string): Promise<void> {
  try {
    await docker.getContainer(name).remove({ force: true })
  } catch (error) {
    if (statusOf(error) !== 404) throw error
  }
}
