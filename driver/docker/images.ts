/** Images on this host: pulled by digest when they are not there, and refused when they have nothing to boot. */
import { createReadStream } from 'node:fs'
import Docker from 'dockerode'
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

async function inspect(docker: Docker, reference: string): Promise<z.output<typeof imageShape> | null> {
  try {
    return imageShape.parse(await docker.getImage(reference).inspect())
  } catch (error) {
    if (statusOf(error) === 404) return null
    throw error
  }
}

async function pull(docker: Docker, reference: string, signal?: AbortSignal): Promise<void> {
  try {
    await follow(docker, await docker.pull(reference, { ...(signal ? { abortSignal: signal } : {}) }))
  } catch (error) {
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
 * @param reference by digest, such as 'localhost:5010/images/debian-12@sha256:...'
 * @throws Invalid when there is no such image, or it has no init
 */
export async function ensureLocal(docker: Docker, reference: string, signal?: AbortSignal): Promise<LocalImage> {
  let image = await inspect(docker, reference)
  if (!image) {
    await pull(docker, reference, signal)
    image = await inspect(docker, reference)
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

export interface RootFileSystem {
  readonly tarPath: string
  /** repository in a registry, such as '127.0.0.1:5010/images/debian-12' */
  readonly name: string
  readonly tag: string
  /** lines of a Dockerfile, as `docker import --change` takes them */
  readonly changes: readonly string[]
}

/** Makes an image of a root file system. @returns its local id */
export async function importImage(docker: Docker, { tarPath, name, tag, changes }: RootFileSystem): Promise<string> {
  const stream = await docker.importImage(createReadStream(tarPath), { repo: name, tag, changes: [...changes] })
  await follow(docker, stream)
  return imageShape.parse(await docker.getImage(`${name}:${tag}`).inspect()).Id
}

/** Pushes an image. @returns its reference by digest */
async function pushImage(docker: Docker, name: string, tag: string): Promise<string> {
  const image = docker.getImage(`${name}:${tag}`)
  await follow(docker, await image.push({ tag, authconfig: { username: '', password: '' } }))
  const { RepoDigests } = z.object({ RepoDigests: z.array(z.string()) }).parse(await image.inspect())
  const digest = RepoDigests.find((one) => one.startsWith(`${name}@`))
  if (digest === undefined) throw new Unavailable(`The registry gave no digest for ${name}:${tag}.`)
  return digest
}

/** Imports a root file system into the engine and pushes it. @returns its reference by digest */
export async function publishImage(socketPath: string, root: RootFileSystem): Promise<string> {
  const docker = new Docker({ socketPath })
  await importImage(docker, root)
  return await pushImage(docker, root.name, root.tag)
}
