/** What `openstack` is told, in order. */
import type { Surroundings } from './surroundings.ts'
import type { Step } from './walk.ts'

export interface Names {
  /** of the server, and how all others begin */
  readonly server: string
  /** path of a public key */
  readonly keyFile: string
  /** path of user data that writes 'hi' to /root/said */
  readonly userData: string
  /** path of some bytes to be an image */
  readonly bytes: string
}

const kept = { told: 'cat /root/kept', says: 'kept' } as const
const value = (column: string): readonly string[] => ['-f', 'value', '-c', column]

function beforehand({ server: v, keyFile, bytes }: Names): readonly Step[] {
  return [
    { words: ['token', 'issue', ...value('id')], says: /^gA|^[\w-]{20,}/, isVital: true },
    { words: ['catalog', 'list'], says: /identity[^]*compute|compute[^]*identity/ },
    { words: ['image', 'list', ...value('Name')], says: 'debian-12-small' },
    { words: ['network', 'list', ...value('Name')], says: /\w/ },
    { words: ['keypair', 'create', '--public-key', keyFile, v], isVital: true },
    { words: ['keypair', 'show', v, ...value('name')], says: v },
    { words: ['keypair', 'create', '--public-key', keyFile, v], fails: /409/ },
    { words: ['flavor', 'create', '--ram', '128', '--vcpus', '1', '--disk', '1', `${v}-flavor`] },
    { words: ['flavor', 'set', '--property', 'hw:cpu_policy=shared', `${v}-flavor`] },
    { words: ['flavor', 'show', `${v}-flavor`, ...value('properties')], says: 'hw:cpu_policy' },
    { words: ['flavor', 'delete', `${v}-flavor`] },
    { words: ['image', 'create', '--disk-format', 'raw', '--container-format', 'bare', '--file', bytes, `${v}-bytes`] },
    { words: ['image', 'show', `${v}-bytes`, ...value('status')], says: 'active' },
    { words: ['image', 'save', '--file', `${bytes}.back`, `${v}-bytes`] },
    { words: ['image', 'delete', `${v}-bytes`] },
  ]
}

function creation({ server: v, userData }: Names, { image, flavor, network, address }: Surroundings): readonly Step[] {
  const nic = ['--nic', `net-id=${network.id},v4-fixed-ip=${address}`]
  const common = ['server', 'create', '--image', image.name, '--flavor', flavor.name, ...nic]
  const more = ['--key-name', v, '--user-data', userData, '--config-drive', 'true', '--property', 'role=test']
  return [
    {
      words: [...common, ...more, '--wait', v],
      reaches: ['ACTIVE'],
      guest: { told: 'cat /root/said', says: 'hi' },
      isVital: true,
    },
    {
      words: ['server', 'show', v, ...value('addresses')],
      says: address,
      guest: { told: 'echo kept > /root/kept; sync; cat /root/kept', says: 'kept' },
    },
    { words: ['server', 'show', v, ...value('properties')], says: 'role' },
    { words: ['server', 'list', '--name', v, ...value('Networks')], says: address },
    { words: ['server', 'list', '--all-projects', ...value('Name')], says: v },
    { words: [...common, '--wait', `${v}-second`], fails: new RegExp(`40[09]|${address.replaceAll('.', '\\.')}`) },
    { words: ['console', 'log', 'show', v] },
  ]
}

function power({ server: v }: Names): readonly Step[] {
  return [
    { words: ['server', 'stop', v], reaches: ['SHUTOFF'] },
    { words: ['server', 'stop', v], fails: /409/ },
    { words: ['server', 'start', v], reaches: ['ACTIVE'], guest: kept },
    { words: ['server', 'reboot', '--wait', v], reaches: ['ACTIVE'] },
    { words: ['server', 'reboot', '--hard', '--wait', v], reaches: ['ACTIVE'], guest: kept },
    { words: ['server', 'pause', v], reaches: ['PAUSED'] },
    { words: ['server', 'unpause', v], reaches: ['ACTIVE'] },
    { words: ['server', 'suspend', v], reaches: ['SUSPENDED'] },
    { words: ['server', 'resume', v], reaches: ['ACTIVE'], guest: kept },
    { words: ['server', 'lock', v] },
    { words: ['server', 'unlock', v] },
  ]
}

function shape({ server: v }: Names, { image, flavor, flavorAlt }: Surroundings): readonly Step[] {
  return [
    { words: ['server', 'resize', '--flavor', flavorAlt.name, '--wait', v], reaches: ['VERIFY_RESIZE'] },
    { words: ['server', 'resize', 'confirm', v], reaches: ['ACTIVE'], guest: kept },
    { words: ['server', 'show', v, ...value('flavor')], says: flavorAlt.name },
    { words: ['server', 'resize', '--flavor', flavor.name, '--wait', v], reaches: ['VERIFY_RESIZE'] },
    { words: ['server', 'resize', 'revert', v], reaches: ['ACTIVE'] },
    { words: ['server', 'show', v, ...value('flavor')], says: flavorAlt.name },
    { words: ['server', 'image', 'create', '--name', `${v}-snapshot`, '--wait', v], reaches: ['ACTIVE'] },
    { words: ['image', 'show', `${v}-snapshot`, ...value('status')], says: 'active' },
    { words: ['server', 'shelve', v], reaches: ['SHELVED', 'SHELVED_OFFLOADED'] },
    { words: ['server', 'unshelve', v], reaches: ['ACTIVE'], guest: kept },
    { words: ['server', 'rescue', v], reaches: ['RESCUE'] },
    { words: ['server', 'unrescue', v], reaches: ['ACTIVE'], guest: kept },
    {
      words: ['server', 'rebuild', '--image', image.name, '--wait', v],
      reaches: ['ACTIVE'],
      guest: { told: 'test -e /root/kept || echo gone', says: 'gone' },
    },
    {
      words: ['server', 'event', 'list', v, ...value('Action')],
      says: /rebuild[^]*resize[^]*reboot[^]*start[^]*stop[^]*create/,
    },
  ]
}

function wires({ server: v }: Names, { network }: Surroundings): readonly Step[] {
  return [
    { words: ['port', 'create', '--network', network.id, `${v}-port`] },
    { words: ['server', 'add', 'port', v, `${v}-port`], guest: { told: 'ls /sys/class/net | grep -c eth', says: '2' } },
    {
      words: ['server', 'remove', 'port', v, `${v}-port`],
      guest: { told: 'ls /sys/class/net | grep -c eth', says: '1' },
    },
    { words: ['port', 'delete', `${v}-port`] },
    { words: ['security', 'group', 'create', v] },
    { words: ['security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '22', v] },
    { words: ['server', 'add', 'security', 'group', v, v] },
    { words: ['server', 'remove', 'security', 'group', v, v] },
    { words: ['security', 'group', 'delete', v] },
  ]
}

function administration({ server: v }: Names): readonly Step[] {
  return [
    { words: ['server', 'set', '--property', 'x=y', v] },
    { words: ['server', 'show', v, ...value('properties')], says: "'x': 'y'" },
    { words: ['hypervisor', 'list', ...value('Hypervisor Hostname')], says: /\w/ },
    { words: ['hypervisor', 'stats', 'show'], says: 'vcpus' },
    { words: ['compute', 'service', 'list', ...value('Binary')], says: 'nova-compute' },
    { words: ['availability', 'zone', 'list', '--compute', ...value('Zone Name')], says: 'nova' },
    { words: ['aggregate', 'create', `${v}-aggregate`] },
    { words: ['aggregate', 'delete', `${v}-aggregate`] },
    { words: ['server', 'group', 'create', '--policy', 'anti-affinity', `${v}-group`] },
    { words: ['server', 'group', 'delete', `${v}-group`] },
    { words: ['quota', 'show'], says: 'instances' },
    { words: ['limits', 'show', '--absolute'], says: 'maxTotalInstances' },
    { words: ['usage', 'show'] },
  ]
}

function end({ server: v }: Names): readonly Step[] {
  return [
    { words: ['server', 'delete', '--wait', v], reaches: ['gone'] },
    { words: ['server', 'show', v], fails: /No server with a name or ID/ },
    { words: ['image', 'delete', `${v}-snapshot`] },
    { words: ['keypair', 'delete', v] },
  ]
}

export function openstackSteps(names: Names, surroundings: Surroundings): readonly Step[] {
  return [
    ...beforehand(names),
    ...creation(names, surroundings),
    ...power(names),
    ...shape(names, surroundings),
    ...wires(names, surroundings),
    ...administration(names),
    ...end(names),
  ]
}

/** What is told after a walk that broke off; that there is nothing left is no failure. */
export function openstackRemains({ server: v }: Names): readonly (readonly string[])[] {
  return [
    ['server', 'delete', '--wait', v, `${v}-second`],
    ['image', 'delete', `${v}-snapshot`, `${v}-bytes`],
    ['keypair', 'delete', v],
  ]
}
