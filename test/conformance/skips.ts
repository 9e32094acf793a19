/** Why a test does not apply, by what Tempest says of it. */
import { gist, type Verdict } from './verdicts.ts'

interface Reason {
  readonly said: RegExp
  readonly why: string
}

const reasons: readonly Reason[] = [
  {
    said: /cinder|volume service|swapping volumes|encrypted volume|microversion range\[3\./i,
    why: 'Volumes are a service of their own, which Berth has not. A server has the disks of its flavor.',
  },
  {
    said: /floating ips|public_network_id/i,
    why: 'A server has an address that is reached as it is: there are no floating addresses to put before it.',
  },
  { said: /router extension|owner network/i, why: 'Projects share networks, and have no routers of their own.' },
  {
    said: /IPv6 or its attributes/,
    why: 'IPv6 by router advertisements is for networks behind a router of the project.',
  },
  {
    said: /physnet|resource inventories/,
    why: 'QoS policies are put into effect on the wire; bandwidth is not promised by placement.',
  },
  {
    said: /live.migration/i,
    why: 'The processes of a guest cannot be moved while they run. A server moves by stopping for a moment (cold migration).',
  },
  { said: /less than 2 compute nodes/i, why: 'It takes two hosts: `./berth test conformance --hosts 2`.' },
  {
    said: /stable rescue/i,
    why: "The server's disk is at `/mnt` of the rescued guest whatever the bus: there are no virtio, USB, SCSI or IDE disks.",
  },
  { said: /VNC/, why: 'A guest has a text console, and no screen.' },
  {
    said: /nova-network|neutron is available|nova cert|Neutron (allows|does not)/i,
    why: 'About services that Nova itself has no more.',
  },
  { said: /launchpad\.net/, why: 'Tempest leaves it out itself, for a bug of OpenStack.' },
  { said: /swift|horizon/i, why: 'Object storage and the dashboard are services of their own.' },
  { said: /auto-allocated/, why: 'A server is given the networks that are asked for, or the one that there is.' },
  { said: /unified limits/i, why: 'Limits are quotas of the compute service, not registered limits of identity.' },
  { said: /certified_image/, why: 'Signatures of images are not verified; a server that asks for it is refused.' },
]

const unknown = 'No reason is known: to be looked into.'

/** The skipped tests by reason, those of most tests first. */
export function byReason(verdicts: readonly Verdict[]): readonly (readonly [why: string, tests: readonly string[]])[] {
  const groups = new Map<string, string[]>()
  for (const { test, outcome, said } of verdicts) {
    if (outcome !== 'skipped') continue
    const why = reasons.find((reason) => reason.said.test(gist(said)))?.why ?? unknown
    groups.set(why, [...(groups.get(why) ?? []), test])
  }
  return [...groups].sort(([, one], [, other]) => other.length - one.length)
}
