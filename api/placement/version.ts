/** Microversions of placement: 1.0 to 1.39. */
import { HttpFault } from '../faults.ts'
import { askedOf } from '../microversion.ts'
import type { Call, GuardedRoute, Reply } from '../route.ts'

export const newest = 39

/** @throws HttpFault for a version that is none, or is not spoken here */
function versionOf({ header }: Call): number {
  const asked = askedOf('placement', header) ?? '1.0'
  if (asked === 'latest') return newest
  const [, minor] = /^1\.(0|[1-9]\d{0,3})$/.exec(asked) ?? []
  if (!/^\d+\.\d+$/.test(asked)) throw new HttpFault(400, `invalid version string: ${asked}`)
  if (minor === undefined || Number(minor) > newest)
    throw new HttpFault(406, `Unacceptable version header: ${asked}. 1.0 to 1.${newest} are spoken.`)
  return Number(minor)
}

/** A look at the scheduler's books, at the version asked for. */
export function look(
  path: string,
  since: number,
  run: (call: Call, version: number) => Promise<Reply> | Reply,
): GuardedRoute {
  return {
    method: 'get',
    path,
    rule: 'placement:show',
    async run(call) {
      const version = versionOf(call)
      if (version < since) throw new HttpFault(404, 'The resource could not be found.')
      const reply = await run(call, version)
      const headers = { 'OpenStack-API-Version': `placement 1.${version}`, Vary: 'OpenStack-API-Version' }
      return { ...reply, headers: { ...headers, ...reply.headers } }
    },
  }
}
