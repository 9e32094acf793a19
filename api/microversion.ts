import { CloudError } from '../core/errors.ts'

/** The minor number of a compute microversion: 53 is 2.53. */
export type Microversion = number

export const lowest: Microversion = 1
export const highest: Microversion = 96

/** A value that changed over time: each entry holds from its version until the next entry's. Oldest first. */
export type Since<T> = readonly (readonly [since: `2.${number}`, value: T])[]

export function minorOf(version: `2.${number}`): Microversion {
  return Number(version.slice(2))
}

/** The value at a version; undefined when it is older than the first entry. */
export function at<T>(table: Since<T>, version: Microversion): T | undefined {
  return table.findLast(([since]) => minorOf(since) <= version)?.[1]
}

/** The client asks for a version that this API does not speak. */
export class VersionNotSupported extends CloudError {
  constructor(asked: string) {
    super(
      'invalid',
      `Version ${asked} is not supported by the API. Minimum is 2.${lowest} and maximum is 2.${highest}.`,
    )
  }
}

class VersionMalformed extends CloudError {
  constructor(asked: string) {
    super('invalid', `API Version String '${asked}' is of invalid format. Must be of format MajorNum.MinorNum.`)
  }
}

type Header = (name: string) => string | undefined

/** The version that a request asks of a service, in the header that may list several; null when it names none. */
export function askedOf(service: string, header: Header): string | null {
  for (const part of (header('openstack-api-version') ?? '').split(',')) {
    const [name, version] = part.trim().split(/\s+/)
    if (name?.toLowerCase() === service && version !== undefined) return version
  }
  return null
}

/** The new header stands above the old one. */
function asked(header: Header): string | null {
  return askedOf('compute', header) ?? header('x-openstack-nova-api-version')?.trim() ?? null
}

/**
 * The version at which a request is to be answered; none asked for = the lowest, as Nova does.
 *
 * @throws VersionNotSupported, VersionMalformed
 */
export function negotiate(header: Header): Microversion {
  const version = asked(header)
  if (version === null) return lowest
  if (version === 'latest') return highest
  const parts = /^([1-9]\d*)\.([1-9]\d*|0)$/.exec(version)
  if (!parts) throw new VersionMalformed(version)
  const minor = Number(parts[2])
  if (parts[1] !== '2' || minor < lowest || minor > highest) throw new VersionNotSupported(version)
  return minor
}

/** What a reply says about the version it was made at. */
export function versionHeaders(version: Microversion): Readonly<Record<string, string>> {
  return {
    'OpenStack-API-Version': `compute 2.${version}`,
    'X-OpenStack-Nova-API-Version': `2.${version}`,
    Vary: 'OpenStack-API-Version, X-OpenStack-Nova-API-Version',
  }
}
