import type { ServerAddress } from '../../../db/shown-servers.ts'

type Json = Readonly<Record<string, unknown>>

/** By network name, in the order of the NICs. `extended`: with the MAC address and the kind of address. */
export function addressesView(
  addresses: readonly ServerAddress[],
  { extended }: { readonly extended: boolean },
): Readonly<Record<string, readonly Json[]>> {
  const view: Record<string, Json[]> = {}
  for (const { networkName, address, mac } of addresses) {
    const plain = { version: address.includes(':') ? 6 : 4, addr: address }
    const entry = extended ? { ...plain, 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': mac } : plain
    view[networkName] = [...(view[networkName] ?? []), entry]
  }
  return view
}
