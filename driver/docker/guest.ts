import type { ContainerInspectInfo } from 'dockerode'
import type { Guest, GuestState } from '../driver.ts'

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

/** The container is as it was to become: Docker says 304 or 409. */
export function isUnchanged(error: unknown): boolean {
  const status = statusOf(error)
  return status === 304 || status === 409
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

export function toGuest(inspected: Inspected, label: string): Guest {
  const state = stateOf(inspected.State)
  const isAlive = state === 'running' || state === 'paused'
  return {
    guestId: inspected.Id,
    serverId: inspected.Config.Labels[label] ?? null,
    name: inspected.Name.replace(/^\//, ''),
    state,
    pid: isAlive ? inspected.State.Pid : null,
    exitCode: state === 'stopped' ? inspected.State.ExitCode : null,
    startedAt: dateOf(inspected.State.StartedAt),
    memoryMiB: Math.round((inspected.HostConfig.Memory ?? 0) / 1024 / 1024),
  }
}
