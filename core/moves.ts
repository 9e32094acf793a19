/** The words of a server's move to another host. */

/** Nova's words. A move waits for its target, copies the disk, boots it; it is then confirmed or reverted by its user. */
export type MoveStatus =
  | 'pre-migrating'
  | 'migrating'
  | 'post-migrating'
  | 'finished'
  | 'reverting'
  | 'confirmed'
  | 'reverted'
  | 'done'
  | 'error'

/** How the disk goes: the guest's own files from agent to agent, most of them while it runs, or as an image by the registry. */
export type Transport = 'delta' | 'registry'

/**
 * What a move is at: how much there is to carry; the target gets the image and the place; the disk goes over while the guest runs, or
 * to the registry; the guest is off, and starts at the target.
 */
export type WorkPhase = 'estimate' | 'begin' | 'sync' | 'switch'
/** After the work a move waits for its user's word, and ends. */
export type MovePhase = WorkPhase | 'confirm' | 'done' | 'rolled back'

/** @param phase of the work, as its hosts told it; null = not yet begun */
export function phaseOf({ status, phase }: { readonly status: string; readonly phase: WorkPhase | null }): MovePhase {
  if (status === 'finished') return 'confirm'
  if (status === 'confirmed' || status === 'done') return 'done'
  return ['reverting', 'reverted', 'error'].includes(status) ? 'rolled back' : (phase ?? 'estimate')
}
