import type { ContainerInspectInfo } from 'dockerode'
import { CloudError, Conflict, messageOf, NotFound, PartSilent, Unavailable } from '../../core/errors.ts'
import type { Guest, GuestState } from '../driver.ts'
import { guestLabel } from './container.ts'

export type Inspected = ContainerInspectInfo

function statusOf(error: unknown): number | null {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : null
}

/** There is no such container, or it is being removed already. */
export function isMissing(error: unknown): boolean {
  const status = statusOf(error)
  return status === 404 || (status === 409 && /removal.*in progress/i.test(error instanceof Error ? error.message : ''))
}

/** The container is already as it was to become, as Docker words it. */
export const alreadyThus = {
  start: /already started/i,
  pause: /already paused/i,
  // Docker hears of the end of a pause a little later than the runtime.
  unpause: /is not paused|cannot resume a running process/i,
  kill: /is not running/i,
} as const

/** Whether the engine refused because there was nothing to do. */
export function isUnchanged(error: unknown, refusal: RegExp): boolean {
  return statusOf(error) === 304 || (error instanceof Error && refusal.test(error.message))
}

/** What the engine says of a file that it is to mount, of a file system whose process is dead. */
const deadFileSystem = /transport endpoint is not connected/i

/** The engine gave no answer at all, or lxcfs gave it none: it is down, or broke off. */
export function isSilence(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (statusOf(error) === null && 'code' in error) || deadFileSystem.test(error.message)
}

/** What the engine's answer means for a guest. */
export function toCloudError(error: unknown, serverId: string): CloudError {
  if (error instanceof CloudError) return error
  if (isMissing(error)) return new NotFound('Guest', serverId, { cause: error })
  const message = `Guest of server ${serverId}: ${messageOf(error)}`
  if (statusOf(error) === 409) return new Conflict(message, { cause: error })
  return isSilence(error) ? new PartSilent(message, { cause: error }) : new Unavailable(message, { cause: error })
}

function stateOf({ Status, Running, Paused }: Inspected['State']): GuestState {
  if (Paused) return 'paused'
  if (Running) return 'running'
  return Status === 'created' ? 'created' : 'stopped'
}

/** Docker's zero time means never. */
function dateOf(text: string): Date | null {
  return text.startsWith('0001-') ? null : new Date(text)
}

/** A list beside a quota is all CPUs of the host, since Docker cannot take a list back. */
function cpusetOf({ HostConfig: { CpusetCpus, CpuQuota } }: Inspected): string | null {
  return CpusetCpus && (CpuQuota ?? 0) <= 0 ? CpusetCpus : null
}

/** @param inspected any container of the engine, ours or another's */
export function toGuest(inspected: Inspected): Guest {
  const state = stateOf(inspected.State)
  const serverId = inspected.Config.Labels[guestLabel]
  const isAlive = state === 'running' || state === 'paused'
  return {
    guestId: inspected.Id,
    // An image may bear a label of this name; none of ours is empty.
    serverId: serverId === '' ? null : (serverId ?? null),
    name: inspected.Name.replace(/^\//, ''),
    state,
    pid: isAlive ? inspected.State.Pid : null,
    exitCode: state === 'stopped' ? inspected.State.ExitCode : null,
    startedAt: dateOf(inspected.State.StartedAt),
    memoryMiB: Math.round((inspected.HostConfig.Memory ?? 0) / 1024 / 1024),
    cpuset: cpusetOf(inspected),
  }
}
