/** What `nova` is told, in order: it asks at the newest microversion that both sides know. */
import type { Names } from './openstack-walk.ts'
import type { Surroundings } from './surroundings.ts'
import type { Step } from './walk.ts'

export function novaSteps(
  { server: v, keyFile }: Names,
  { image, flavor, flavorAlt, network, address }: Surroundings,
): readonly Step[] {
  const nic = `net-id=${network.id},v4-fixed-ip=${address}`
  const boot = ['boot', '--image', image.name, '--flavor', flavor.name, '--nic', nic, '--key-name', v, '--poll', v]
  const here = { told: 'hostname', says: v } as const
  return [
    { words: ['keypair-add', '--pub-key', keyFile, v], isVital: true },
    { words: ['flavor-list'], says: flavor.name },
    { words: boot, reaches: ['ACTIVE'], guest: here, isVital: true },
    { words: ['list'], says: v },
    { words: ['show', v], says: 'ACTIVE' },
    { words: ['interface-list', v], says: address },
    { words: ['stop', v], reaches: ['SHUTOFF'] },
    { words: ['start', v], reaches: ['ACTIVE'] },
    { words: ['reboot', '--poll', v], reaches: ['ACTIVE'], guest: here },
    { words: ['resize', '--poll', v, flavorAlt.name], reaches: ['VERIFY_RESIZE'] },
    { words: ['resize-confirm', v], reaches: ['ACTIVE'] },
    { words: ['image-create', '--poll', v, `${v}-snapshot`], reaches: ['ACTIVE'] },
    { words: ['meta', v, 'set', 'a=b'] },
    { words: ['lock', v] },
    { words: ['unlock', v] },
    { words: ['console-log', v] },
    { words: ['instance-action-list', v], says: 'create' },
    { words: ['server-tag-add', v, 'one'] },
    { words: ['server-tag-list', v], says: 'one' },
    { words: ['diagnostics', v], says: 'state' },
    { words: ['hypervisor-list'], says: /\bup\b/ },
    { words: ['service-list'], says: 'nova-compute' },
    { words: ['quota-show'], says: 'instances' },
    { words: ['limits'], says: 'Instances' },
    { words: ['delete', v], reaches: ['gone'] },
    { words: ['show', v], fails: /No server with a name or ID/ },
    { words: ['keypair-delete', v] },
  ]
}

export function novaRemains({ server: v }: Names): readonly (readonly string[])[] {
  return [
    ['delete', v],
    ['keypair-delete', v],
  ]
}
