/** Judges every request and reply by the contract of its route, and remembers which contracts were kept. */
import { z } from 'zod'
import { facades, type Facade } from '../../../api/app.ts'
import { lowest, negotiate, type Microversion } from '../../../api/microversion.ts'
import { hasVersion, type Route } from '../../../api/route.ts'
import { actionRoute } from './compute/actions.ts'
import type { Contract, Exchange, Kept } from './contract.ts'
import { faultOf } from './faults.ts'
import { contracts } from './index.ts'
import { shapeOf } from './shape.ts'

interface Place {
  readonly facade: Facade
  readonly version: Microversion
  /** the path below the facade */
  readonly path: string
}

function placeOf(url: string, versionOf: () => Microversion): Place | null {
  const { pathname } = new URL(url, 'http://api')
  const facade = facades.find(({ at }) => pathname === at || pathname.startsWith(`${at}/`))
  if (!facade) return null
  const path = pathname.slice(facade.at.length) || '/'
  return { facade, version: facade.versioned ? versionOf() : lowest, path }
}

function matches(route: Route, path: string): boolean {
  const pattern = route.path
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : part.replaceAll('.', String.raw`\.`)))
    .join('/')
  return new RegExp(`^${pattern}$`).test(path)
}

export function nameOf(facade: Facade, route: Route): string {
  return `${route.method.toUpperCase()} ${facade.at}${route.path}`
}

function firstKey(body: unknown): string {
  const parsed = z.record(z.string(), z.unknown()).safeParse(body)
  return parsed.success ? (Object.keys(parsed.data)[0] ?? '') : ''
}

type Asked = Pick<Exchange, 'method' | 'url' | 'request'>

/** The name of the contract; null when no route answers. */
function contractName(exchange: Asked, { facade, version, path }: Place): string | null {
  // A HEAD without a route of its own is a GET whose body is not sent.
  const route = facade.routes.find(
    (one) => one.method === exchange.method.toLowerCase() && matches(one, path) && hasVersion(one, version),
  )
  if (!route) return null
  const name = nameOf(facade, route)
  return name === actionRoute ? `${name} ${firstKey(exchange.request)}` : name
}

/** What a request is to be answered by. */
export function contractOf(asked: Asked, version: Microversion): Contract | undefined {
  const place = placeOf(asked.url, () => version)
  return place ? contracts[contractName(asked, place) ?? ''] : undefined
}

function parsed({ body, contentType }: Exchange): unknown {
  if (body === '') return undefined
  return contentType.startsWith('application/json') ? JSON.parse(body) : body
}

function complaint(schema: z.ZodType, value: unknown): string | null {
  const result = schema.safeParse(value)
  return result.success ? null : z.prettifyError(result.error)
}

const types = ['application/json', 'application/json; charset=utf-8']

function wrongFault(exchange: Exchange, { facade }: Place): string | null {
  if (exchange.method === 'HEAD') return null
  return complaint(faultOf(facade.at.slice(1), exchange.status), parsed(exchange))
}

function wrongReply(exchange: Exchange, { version }: Place, { takes, gives, isRaw }: Contract): string | null {
  const { status, contentType, body } = exchange
  const schema = shapeOf(gives[status] ?? z.never()).at(version)
  if (schema === null) return 'not at this version'
  if (isRaw) return null
  if (body !== '' && !types.includes(contentType)) return `its content is ${contentType}`
  const wrong = complaint(schema, parsed(exchange))
  if (wrong !== null || takes === undefined || status >= 400) return wrong
  const taken = shapeOf(takes).at(version)
  const refused = taken && complaint(taken, exchange.request)
  return refused && `a body was taken that should not be: ${refused}`
}

/** What is wrong with the reply; null = nothing. */
function wrongIn(exchange: Exchange, place: Place, contract: Contract | undefined, name: string | null): string | null {
  const { status } = exchange
  if (contract && status in contract.gives) return wrongReply(exchange, place, contract)
  if (status >= 400) return wrongFault(exchange, place)
  return contract ? `status ${status} is none of its own` : name && `${name} has no contract`
}

export class ContractBook {
  readonly kept: Kept[] = []
  readonly #broken: string[] = []

  /** Looks at one exchange; what is wrong is told by `verify`. */
  judge(exchange: Exchange): void {
    const { method, url, status } = exchange
    const place = this.#placeOf(exchange)
    if (!place) return
    const name = contractName(exchange, place)
    const contract = name === null ? undefined : contracts[name]
    const wrong = wrongIn(exchange, place, contract, name)
    if (wrong !== null) this.#broken.push(`${method} ${url} at 2.${place.version}: ${status}: ${wrong}`)
    else if (name !== null && contract && status in contract.gives)
      this.kept.push({ name, version: place.version, status })
  }

  /** A version that is none is answered by a fault, which has the facade's form like any other. */
  #placeOf(exchange: Exchange): Place | null {
    try {
      return placeOf(exchange.url, () => negotiate(exchange.header))
    } catch {
      return null
    }
  }

  /** @throws Error naming every contract that was broken since the last time */
  verify(): void {
    const broken = this.#broken.splice(0)
    if (broken.length > 0) throw new Error(`contracts broken:\n${broken.join('\n')}`)
  }
}
