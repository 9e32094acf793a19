/** What went wrong, as each facade says it. The one place where kinds of errors become HTTP numbers. */
import { AddressInUse, CloudError, messageOf, SubnetFull, type ErrorKind } from '../core/errors.ts'
import { NetworkError } from '../core/network-errors.ts'
import { isDatabaseAway, isDatabaseFull } from '../db/connect.ts'
import { VersionNotSupported } from './microversion.ts'

/** A failure of HTTP itself: an unknown path or method, an unreadable or oversized body. */
export class HttpFault extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** A failure in the words of HTTP. */
export interface Fault {
  readonly status: number
  readonly message: string
  /** the error itself, for facades that name its type */
  readonly error: unknown
}

/** A fault as a facade's clients expect it. */
export interface Envelope {
  readonly contentType: 'application/json' | 'text/html; charset=utf-8'
  readonly body: string
}

/** How a facade writes a fault; `accept` is the request's header. */
export type WriteFault = (fault: Fault, accept: string) => Envelope

const statuses = {
  invalid: 400,
  unauthenticated: 401,
  throttled: 429,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'over-quota': 403,
  'no-capacity': 400,
  unsupported: 501,
  unavailable: 503,
} as const satisfies Record<ErrorKind, number>

/** Postgres: a unique or foreign key, or two transactions, met. */
const collisions: readonly unknown[] = ['23503', '23505', '40001', '40P01']

/**
 * Postgres: a value that nothing keeps, such as a number or a time out of range, or an address that is none. What we ask of our own
 * accord has none, so it is the client's. Source: PostgreSQL manual, appendix A
 */
const unkeepable: readonly unknown[] = [
  ...['22001', '22003', '22007', '22008', '22021', '22P02', '22P05', '2201B'],
  ...['54000', '54001'],
]

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** Errors of the body parser say their own status; their text is for developers. */
function bodyFault(error: unknown): Fault | null {
  if (!(error instanceof Error) || !('type' in error) || typeof error.type !== 'string') return null
  if (error.type === 'entity.too.large') return { status: 413, message: 'The request body is too large.', error }
  if (error.type.startsWith('encoding.') || error.type.startsWith('charset.'))
    return { status: 415, message: 'The encoding of the request body is not supported.', error }
  return { status: 400, message: 'Malformed request body', error }
}

/** Anything unforeseen is a 500 without its text. */
export function faultOf(error: unknown): Fault {
  if (error instanceof VersionNotSupported) return { status: 406, message: error.message, error }
  if (error instanceof CloudError) return { status: statuses[error.kind], message: error.message, error }
  if (error instanceof HttpFault) return { status: error.status, message: error.message, error }
  if (error instanceof URIError) return { status: 400, message: 'Malformed URL', error }
  if (collisions.includes(codeOf(error)))
    return { status: 409, message: 'The resource was changed by another request at the same time.', error }
  if (unkeepable.includes(codeOf(error)))
    return { status: 400, message: 'The request has a value that cannot be kept, or looked for.', error }
  if (isDatabaseFull(error))
    // The statement stands before the reason.
    return { status: 503, message: `The disk of the database is full: ${messageOf(error).split(' - ').at(-1)}.`, error }
  if (isDatabaseAway(error))
    return { status: 503, message: 'The database does not answer. Try again in a moment.', error }
  return (
    bodyFault(error) ?? { status: 500, message: 'Unexpected API Error. It has been logged with the request id.', error }
  )
}

function json(body: unknown): Envelope {
  return { contentType: 'application/json', body: JSON.stringify(body) }
}

/** Source: nova/api/openstack/wsgi.py, Fault._fault_names. */
const computeNames: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

export const computeFault: WriteFault = ({ status, message }) =>
  json({ [computeNames[status] ?? 'computeFault']: { code: status, message } })

const titles: Readonly<Record<number, string>> = {
  300: 'Multiple Choices',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

export const identityFault: WriteFault = ({ status, message }) =>
  json({ error: { code: status, message, title: titles[status] ?? 'Error' } })

/** Neutron's exception names, which its clients match. */
function networkType({ error, status }: Fault): string {
  if (error instanceof NetworkError) return error.type
  if (error instanceof AddressInUse) return 'IpAddressAlreadyAllocated'
  if (error instanceof SubnetFull) return 'IpAddressGenerationFailure'
  const what = status === 404 && error instanceof Error ? /^(\w+)( group)?( rule)?\b/.exec(error.message) : null
  if (what) return `${what[1] ?? ''}${what[2] ? 'Group' : ''}${what[3] ? 'Rule' : ''}NotFound`
  return (
    { 400: 'HTTPBadRequest', 401: 'HTTPUnauthorized', 403: 'PolicyNotAuthorized', 409: 'Conflict' }[status] ??
    'HTTPError'
  )
}

export const networkFault: WriteFault = (fault) =>
  json({ NeutronError: { type: networkType(fault), message: fault.message, detail: '' } })

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

/** Glance answers as webob does: HTML, or JSON to those who ask for nothing but JSON. */
export const imageFault: WriteFault = ({ status, message }, accept) => {
  const title = titles[status] ?? 'Error'
  if (accept.includes('application/json') && !accept.includes('text/html'))
    return json({ message, code: `${status} ${title}`, title })
  const body = `<html><head><title>${status} ${title}</title></head><body><h1>${status} ${title}</h1>${escapeHtml(message)}</body></html>`
  return { contentType: 'text/html; charset=utf-8', body }
}

export const placementFault: WriteFault = ({ status, message }) =>
  json({ errors: [{ status, title: titles[status] ?? 'Error', detail: message }] })
