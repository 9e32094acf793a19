import { traitsOf } from '../../db/host-traits.ts'
import type { HostPlace } from '../../db/host-places.ts'
import type { Filter } from '../question.ts'

const form = /^trait[\w-]*:(.+)$/

interface Asked {
  readonly trait: string
  readonly verdict: string
}

function lack(host: HostPlace, flavor: string, asked: readonly Asked[]): string | null {
  const present = traitsOf(host)
  const missing = asked.find(({ trait, verdict }) => verdict === 'required' && !present.includes(trait))
  if (missing) return `it lacks trait ${missing.trait}, which flavor ${flavor} requires`
  const unwanted = asked.find(({ trait, verdict }) => verdict === 'forbidden' && present.includes(trait))
  return unwanted ? `it has trait ${unwanted.trait}, which flavor ${flavor} forbids` : null
}

/** A flavor may require or forbid what hosts are like, by extra specs such as trait:CUSTOM_DISK_QUOTA=required. */
export const traits: Filter = ({ server: { flavor } }) => {
  const asked = Object.entries(flavor.extraSpecs).flatMap(([name, verdict]) => {
    const trait = form.exec(name)?.[1]
    return trait === undefined ? [] : [{ trait, verdict }]
  })
  if (asked.length === 0) return null
  return (host) => lack(host, flavor.name, asked)
}
