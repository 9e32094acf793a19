import { expect, test } from '@jest/globals'
import { changes, statusOf, vmStates } from '../../core/states.ts'

test('each state has a status of its own', () => {
  const statuses = vmStates.map((state) => statusOf(state, null))
  expect(new Set(statuses).size).toBe(vmStates.length)
  expect(statusOf('stopped', null)).toBe('SHUTOFF')
})

test('a reboot shows while it goes on', () => {
  expect(statusOf('active', 'rebooting')).toBe('REBOOT')
  expect(statusOf('stopped', 'rebooting_hard')).toBe('HARD_REBOOT')
  expect(statusOf('active', 'deleting')).toBe('ACTIVE')
})

test('every change begins in a state that it does not end in, or leaves the server in its own', () => {
  for (const [name, change] of Object.entries(changes)) {
    if (/^server\.(reboot|rebuild|evacuate|snapshot|backup|change-password)/.test(name)) continue
    const from: readonly string[] = change.from
    expect(from).not.toContain(change.to)
  }
})
