/** Strain under Docker: its data root, the writable layers of its containers, their control groups. */
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import Docker from 'dockerode'
import { execa } from 'execa'
import { z } from 'zod'
import { messageOf, Unavailable } from '../../core/errors.ts'
import { disksLabel } from './disks.ts'
import { guestLabel } from './container.ts'
import { ephemeralFile } from './ephemeral.ts'
import type { DiskRoom, HostStrain, LimitHits, Rest } from '../strain.ts'
import { memoryLeft, processesLeft } from './rest.ts'

const root = '/sys/fs/cgroup'
const containerId = /^[0-9a-f]{64}$/
const mib = 1024 * 1024
const timeoutMs = 60_000

const info = z.object({ DockerRootDir: z.string() })
const sizes = z.array(z.object({ Labels: z.record(z.string(), z.string()), SizeRw: z.number().default(0) }))

const containers = z.array(z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()) }))
const layer = z.object({ GraphDriver: z.object({ Data: z.object({ UpperDir: z.string() }) }) })

/** The value of a line such as 'oom_kill 3'; 0 where the kernel does not count it, or the guest has just gone. */
async function count(path: string, key: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** Bytes that a file takes on its disk, 0 where there is none. */
async function roomTaken(path: string): Promise<number> {
  return existsSync(path) ? (await stat(path)).blocks * 512 : 0
}

export class DockerStrain implements HostStrain {
  readonly #docker: Docker
  readonly #cgroupParent: string
  #dataRoot: string | null = null

  constructor({ socketPath, cgroupParent }: { readonly socketPath: string; readonly cgroupParent: string }) {
    this.#docker = new Docker({ socketPath, timeout: timeoutMs })
    this.#cgroupParent = cgroupParent
  }

  async room(): Promise<DiskRoom> {
    try {
      this.#dataRoot ??= info.parse(await this.#docker.info()).DockerRootDir
      const { blocks, bavail, bsize, files, ffree } = await statfs(this.#dataRoot)
      return {
        path: this.#dataRoot,
        totalMiB: Math.floor((blocks * bsize) / mib),
        freeMiB: Math.floor((bavail * bsize) / mib),
        freeFiles: files === 0 ? null : ffree,
      }
    } catch (error) {
      throw new Unavailable(`The disk of the guests cannot be looked at: ${messageOf(error)}`, { cause: error })
    }
  }

  async writtenMiB(): Promise<ReadonlyMap<string, number>> {
    try {
      const found = sizes.parse(await this.#docker.listContainers({ size: true }))
      const written = new Map<string, number>()
      for (const { Labels, SizeRw } of found) {
        const { [guestLabel]: serverId, [disksLabel]: disks } = Labels
        if (serverId === undefined) continue
        const beside = disks === undefined ? 0 : await roomTaken(ephemeralFile(disks))
        written.set(serverId, Math.floor((SizeRw + beside) / mib))
      }
      return written
    } catch (error) {
      throw new Unavailable(`The disks of the guests cannot be looked at: ${messageOf(error)}`, { cause: error })
    }
  }

  async filesWritten(): Promise<ReadonlyMap<string, number>> {
    try {
      const found = containers.parse(await this.#docker.listContainers())
      const ours = found.flatMap(({ Id, Labels: { [guestLabel]: serverId } }) =>
        serverId === undefined ? [] : [{ id: Id, serverId }],
      )
      return new Map(
        await Promise.all(ours.map(async ({ id, serverId }) => [serverId, await this.#files(id)] as const)),
      )
    } catch (error) {
      throw new Unavailable(`The files of the guests cannot be counted: ${messageOf(error)}`, { cause: error })
    }
  }

  /** Files come and go while they are counted: du then ends in error, with a number all the same. */
  async #files(guestId: string): Promise<number> {
    const { GraphDriver } = layer.parse(await this.#docker.getContainer(guestId).inspect())
    const words = ['--inodes', '--summarize', GraphDriver.Data.UpperDir]
    const { stdout } = await execa('du', words, { reject: false, timeout: timeoutMs })
    return Number(/^\d+/.exec(stdout)?.[0] ?? 0)
  }

  async memory(): Promise<Rest> {
    return await memoryLeft(this.#cgroupParent)
  }

  async processes(): Promise<Rest> {
    return await processesLeft(this.#cgroupParent)
  }

  async hits(): Promise<readonly LimitHits[]> {
    const isUnified = existsSync(join(root, 'cgroup.controllers'))
    const groupsOf = (controller: string): string => join(root, isUnified ? '' : controller, this.#cgroupParent)
    const names = await readdir(groupsOf('memory')).catch(() => [])
    return await Promise.all(
      names
        .filter((name) => containerId.test(name))
        .map(async (guestId) => ({
          guestId,
          memory: await count(
            join(groupsOf('memory'), guestId, isUnified ? 'memory.events' : 'memory.oom_control'),
            'oom_kill',
          ),
          processes: await count(join(groupsOf('pids'), guestId, 'pids.events'), 'max'),
        })),
    )
  }
}
