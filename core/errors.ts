/** What kind of failure an error is. HTTP numbers belong to `api/faults.ts`. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'throttled'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'over-quota'
  | 'no-capacity'
  | 'unsupported'
  | 'unavailable'

/** An error with one sentence for the user. `cause` keeps its origin for the log. */
export class CloudError extends Error {
  readonly kind: ErrorKind

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.name = new.target.name
  }
}

/** Bad input: the message names the field and the reason. */
export class Invalid extends CloudError {
  constructor(message: string, options?: ErrorOptions) {
    super('invalid', message, options)
  }
}

export class Unauthenticated extends CloudError {
  constructor(message = 'The request you have made requires authentication.', options?: ErrorOptions) {
    super('unauthenticated', message, options)
  }
}

export class Forbidden extends CloudError {
  constructor(message: string, options?: ErrorOptions) {
    super('forbidden', message, options)
  }
}

/** `what` is the field's own word, such as 'Instance' or 'Flavor'; `known` are those that there are, where they are few. */
export class NotFound extends CloudError {
  constructor(
    what: string,
    id: string,
    { known, ...options }: ErrorOptions & { readonly known?: readonly string[] } = {},
  ) {
    super('not-found', `${what} ${id} could not be found${known ? `; there are: ${known.join(', ')}` : ''}.`, options)
  }
}

export class Conflict extends CloudError {
  constructor(message: string, options?: ErrorOptions) {
    super('conflict', message, options)
  }
}

export class OverQuota extends CloudError {
  constructor(message: string, options?: ErrorOptions) {
    super('over-quota', message, options)
  }
}

/** A dependency (Docker, Open vSwitch, Postgres, registry) does not answer; try again later. */
export class Unavailable extends CloudError {
  constructor(message: string, options?: ErrorOptions) {
    super('unavailable', message, options)
  }
}

/** A part broke off or does not answer in time: the same call may well succeed in a moment. */
export class PartSilent extends Unavailable {}

/** This host, driver or datapath cannot do what was asked. */
export class Unsupported extends CloudError {
  constructor(message: string, options?: ErrorOptions) {
    super('unsupported', message, options)
  }
}

export class ServerInvalidState extends CloudError {
  constructor(id: string, verb: string, state: string, options?: ErrorOptions) {
    super('conflict', `Cannot '${verb}' instance ${id} while it is in ${state}`, options)
  }
}

/** The row moved on while a job was working: the job undoes what it built and ends quietly. */
export class Superseded extends CloudError {
  constructor(id: string) {
    super('conflict', `Instance ${id} was changed by a later request`)
  }
}

/** Every address of the subnet is allocated, reserved or in quarantine. */
export class SubnetFull extends CloudError {
  constructor(subnetId: string, counts: string, options?: ErrorOptions) {
    super('conflict', `No more IP addresses available on subnet ${subnetId} (${counts})`, options)
  }
}

export class AddressInUse extends CloudError {
  constructor(address: string, subnetId: string, options?: ErrorOptions) {
    super('conflict', `IP address ${address} already allocated in subnet ${subnetId}`, options)
  }
}

/** No host can take the server; every host's reason is in the message, hosts of one reason together. */
export class NoValidHost extends CloudError {
  constructor(reasons: Readonly<Record<string, string>>) {
    const byReason = Map.groupBy(Object.entries(reasons), ([, reason]) => reason)
    const listed = [...byReason].map(([reason, hosts]) => `${hosts.map(([host]) => host).join(', ')}: ${reason}`)
    super('no-capacity', `No valid host was found. ${listed.length > 0 ? listed.join('; ') : 'There are no hosts.'}`)
  }
}

/** A guest could not be made or changed on its host: says which step failed and why. */
export class GuestFailed extends CloudError {
  constructor(serverId: string, step: string, reason: string, options?: ErrorOptions) {
    super('unavailable', `Guest of server ${serverId} failed at ${step}: ${reason}`, options)
  }
}

/** Whether it is an error of the system, or of Postgres, with one of these codes, such as 'ENOENT'. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
}

/** The text of whatever was thrown. What `fetch` throws says the reason in its cause alone. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === 'fetch failed' && error.cause instanceof Error ? messageOf(error.cause) : error.message
}
