import type { DisabledState } from '../../core/host.ts'
import type { Filter } from '../question.ts'

const words: Readonly<Record<DisabledState, string>> = {
  disabled: 'it is disabled',
  draining: 'it is being drained',
  maintenance: 'it is in maintenance',
}

export const enabled: Filter =
  () =>
  ({ isEnabled, disabledAs, disabledReason }) =>
    isEnabled ? null : `${words[disabledAs]}${disabledReason === null ? '' : ` (${disabledReason})`}`
