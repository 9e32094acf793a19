/** The real driver: a guest is a Docker container with an init, without Docker's network, under our runtime. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Docker from 'dockerode'
import { z } from 'zod'
import { messageOf, NotFound, Unavailable } from '../../core/errors.ts'
import type { Capacity, ComputeDriver, Guest, GuestExit, GuestLimits, GuestSpec } from '../driver.ts'
import { containerName, containerOf, limitsOf, type ContainerSettings } from './container.ts'
import { filesArchive } from './files.ts'
import { ensureLocal, type LocalImage } from './images.ts'
import { removeOciSpec, writeOciSpec } from './oci-spec.ts'
import { hostCapacity } from './capacity.ts'
import { isMissing, isUnchanged, toGuest, type Inspected } from './guest.ts'

export interface DockerSettings {
  /** path of the engine's unix socket */
  readonly socketPath: string
  /** where the runtime wrapper looks for its specs */
  readonly ociDirectory: string
  readonly runtime: string
  readonly cgroupParent: string
  readonly lxcfsDir: string | null
}

export const guestLabel = 'berth.server'
const namespacesLabel = 'berth.namespaces'
/** One call of the engine; starts and removals of a busy host take seconds. */
const callTimeoutMs = 120_000
const powerOffSignal = 'SIGRTMIN+4'
const pollMs = 50

const namespaces = z.object({ netns: z.string(), userns: z.string().nullable(), systemdCgroup: z.boolean() })
const dieEvent = z.object({
  id: z.string(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
})

export class DockerDriver implements ComputeDriver {
  readonly #docker: Docker
  readonly #settings: DockerSettings
  readonly #container: ContainerSettings
  readonly #images = new Map<string, Promise<LocalImage>>()
  readonly #inits = new Map<string, LocalImage>()

  constructor(settings: DockerSettings) {
    this.#settings = settings
    this.#docker = new Docker({ socketPath: settings.socketPath, timeout: callTimeoutMs })
    this.#container = { ...settings, label: guestLabel }
  }

  async ensureImage(reference: string, signal?: AbortSignal): Promise<string> {
    // A digest never means another image: asked for once, it is known, until it turns out to be gone.
    const known = this.#images.get(reference) ?? ensureLocal(this.#docker, reference, signal)
    this.#images.set(reference, known)
    try {
      const image = await known
      this.#inits.set(image.id, image)
      return image.id
    } catch (error) {
      this.#images.delete(reference)
      throw error
    }
  }

  async create(spec: GuestSpec): Promise<Guest> {
    const present = await this.inspect(spec.serverId)
    if (present) return present
    const image = this.#inits.get(spec.image) ?? (await ensureLocal(this.#docker, spec.image))
    const born = {
      netns: spec.netnsPath,
      userns: spec.usernsPath,
      systemdCgroup: image.isSystemd && existsSync('/sys/fs/cgroup/systemd'),
    }
    const options = containerOf(spec, this.#container)
    const container = await this.#create({
      ...options,
      ...(image.init === '/sbin/init' ? {} : { Cmd: [image.init], Entrypoint: [] }),
      Labels: { ...options.Labels, [namespacesLabel]: JSON.stringify(born) },
    })
    try {
      await container.putArchive(await filesArchive(spec.files), { path: '/' })
      await writeOciSpec(this.#settings.ociDirectory, container.id, born)
    } catch (error) {
      await this.remove(spec.serverId)
      throw error
    }
    return {
      guestId: container.id,
      serverId: spec.serverId,
      name: containerName(spec.serverId),
      state: 'created',
      pid: null,
      exitCode: null,
      startedAt: null,
      memoryMiB: spec.memoryMiB,
    }
  }

  async start(serverId: string): Promise<Guest> {
    const found = await this.#find(serverId)
    if (!found) throw new NotFound('Guest', serverId)
    if (!found.State.Running) {
      const born = namespaces.parse(JSON.parse(found.Config.Labels?.[namespacesLabel] ?? '{}'))
      await writeOciSpec(this.#settings.ociDirectory, found.Id, born)
      await this.#tolerate(isUnchanged, () => this.#docker.getContainer(found.Id).start())
    } else if (found.State.Paused) await this.unpause(serverId)
    const guest = await this.inspect(serverId)
    if (!guest) throw new NotFound('Guest', serverId)
    return guest
  }

  async stop(serverId: string, graceSeconds: number): Promise<void> {
    const found = await this.#find(serverId)
    if (found?.State.Running !== true) return
    const container = this.#docker.getContainer(found.Id)
    if (found.State.Paused) await this.unpause(serverId)
    if (graceSeconds > 0) {
      await this.#askToPowerOff(serverId, found)
      if (await this.#ended(serverId, graceSeconds * 1000)) return
    }
    await this.#tolerate(isUnchanged, () => container.kill({ signal: 'SIGKILL' }))
    if (!(await this.#ended(serverId, callTimeoutMs)))
      throw new Unavailable(`Guest of server ${serverId} was killed and did not end.`)
  }

  async remove(serverId: string): Promise<void> {
    const found = await this.#find(serverId)
    if (!found) return
    await this.#tolerate(isMissing, () => this.#docker.getContainer(found.Id).remove({ force: true, v: true }))
    await removeOciSpec(this.#settings.ociDirectory, found.Id)
  }

  async pause(serverId: string): Promise<void> {
    await this.#tolerate(isUnchanged, () => this.#docker.getContainer(containerName(serverId)).pause())
  }

  async unpause(serverId: string): Promise<void> {
    await this.#tolerate(isUnchanged, () => this.#docker.getContainer(containerName(serverId)).unpause())
  }

  async inspect(serverId: string): Promise<Guest | null> {
    const found = await this.#find(serverId)
    return found ? toGuest(found, guestLabel) : null
  }

  async list(): Promise<readonly Guest[]> {
    const rows = await this.#docker.listContainers({ all: true })
    const found = await Promise.all(rows.map(({ Id }) => this.#inspect(Id)))
    return found.flatMap((one) => (one ? [toGuest(one, guestLabel)] : []))
  }

  async setLimits(serverId: string, limits: GuestLimits): Promise<void> {
    await this.#docker.getContainer(containerName(serverId)).update(limitsOf(limits))
  }

  async exec(
    serverId: string,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ readonly exitCode: number; readonly output: string }> {
    const container = this.#docker.getContainer(containerName(serverId))
    const exec = await container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true, Tty: true })
    const stream = await exec.start({ Tty: true })
    const chunks: Buffer[] = []
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.once('end', resolve)
      stream.once('error', reject)
    })
    const isInTime = await Promise.race([ended.then(() => true), sleep(timeoutMs, false, { ref: false })])
    if (!isInTime)
      throw new Unavailable(`${command[0] ?? ''} did not end within ${timeoutMs} ms in the guest of server ${serverId}`)
    const { ExitCode } = await exec.inspect()
    return { exitCode: ExitCode ?? -1, output: Buffer.concat(chunks).toString('utf8') }
  }

  async consoleLog(serverId: string, lines: number | null): Promise<string> {
    if (!(await this.#find(serverId)) || lines === 0) return ''
    const log = await this.#docker
      .getContainer(containerName(serverId))
      .logs({ stdout: true, stderr: true, follow: false, ...(lines === null ? {} : { tail: lines }) })
    return log.toString('utf8').replaceAll('\r\n', '\n')
  }

  async capacity(): Promise<Capacity> {
    return await hostCapacity(this.#docker)
  }

  async watchExits(onExit: (exit: GuestExit) => void, signal: AbortSignal): Promise<void> {
    const filters = { type: ['container'], event: ['die'], label: [guestLabel] }
    const stream = await this.#docker.getEvents({ filters: JSON.stringify(filters) })
    const stop = (): void => void ('destroy' in stream && typeof stream.destroy === 'function' && stream.destroy())
    signal.addEventListener('abort', stop, { once: true })
    try {
      let text = ''
      for await (const chunk of stream) {
        text += chunk.toString()
        const parts = text.split('\n')
        text = parts.pop() ?? ''
        for (const line of parts.filter(Boolean)) this.#report(line, onExit)
      }
      throw new Error('the stream ended')
    } catch (error) {
      if (!signal.aborted) throw new Unavailable(`Docker's events broke off: ${messageOf(error)}`, { cause: error })
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #report(line: string, onExit: (exit: GuestExit) => void): void {
    const event = dieEvent.parse(JSON.parse(line))
    const { [guestLabel]: serverId, exitCode } = event.Actor.Attributes
    if (serverId !== undefined) onExit({ guestId: event.id, serverId, exitCode: Number(exitCode ?? -1) })
  }

  /** systemd has a signal for it; another init is told by the command that an administrator would use. */
  async #askToPowerOff(serverId: string, found: Inspected): Promise<void> {
    if (namespaces.safeParse(JSON.parse(found.Config.Labels?.[namespacesLabel] ?? '{}')).data?.systemdCgroup === true) {
      await this.#tolerate(isUnchanged, () => this.#docker.getContainer(found.Id).kill({ signal: powerOffSignal }))
      return
    }
    // The guest may end, or have no such command, while this runs: what counts is whether it ends in time.
    await this.exec(serverId, ['/sbin/poweroff'], 5000).catch(() => undefined)
  }

  async #ended(serverId: string, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = await this.#find(serverId)
      if (found?.State.Running !== true) return true
      if (performance.now() > deadline) return false
      await sleep(pollMs)
    }
  }

  async #create(options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
    try {
      return await this.#docker.createContainer(options)
    } catch (error) {
      this.#images.clear()
      throw new Unavailable(`Docker made no container: ${messageOf(error)}`, { cause: error })
    }
  }

  async #find(serverId: string): Promise<Inspected | null> {
    return await this.#inspect(containerName(serverId))
  }

  async #inspect(idOrName: string): Promise<Inspected | null> {
    try {
      return await this.#docker.getContainer(idOrName).inspect()
    } catch (error) {
      if (isMissing(error)) return null
      throw new Unavailable(`Docker does not answer: ${messageOf(error)}`, { cause: error })
    }
  }

  async #tolerate(isFine: (error: unknown) => boolean, call: () => Promise<unknown>): Promise<void> {
    try {
      await call()
    } catch (error) {
      if (!isFine(error)) throw new Unavailable(messageOf(error), { cause: error })
    }
  }
}
