/** A facade is a table of routes. A route is a function from a call to a reply; only this file and app.ts know express. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import express, { type NextFunction, type Request, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import { publicUrl, type Config } from '../core/config.ts'
import type { Db } from '../db/connect.ts'
import type { Registry } from '../registry/registry.ts'
import { allowByRules } from './access-rules.ts'
import { authenticate, callerOf } from './auth.ts'
import type { Caller } from './caller.ts'
import { HttpFault } from './faults.ts'
import type { Keystone } from './keystone.ts'
import type { Bearers } from './known-bearers.ts'
import { highest, lowest, minorOf, negotiate, versionHeaders, type Microversion } from './microversion.ts'
import { allow, type Rule } from './policy.ts'

/** What all requests are answered with. */
export interface Cloud {
  readonly db: Db
  readonly config: Config
  readonly registry: Registry
  readonly log: Logger
}

/** A cloud that answers. */
export interface Serving extends Cloud {
  /** in place of our own identity; null = identity is our own */
  readonly keystone: Keystone | null
  readonly bearers: Bearers
}

/** One request, of anybody. */
export interface OpenCall extends Serving {
  readonly requestId: string
  /** such as 'http://10.0.0.1:8774': what links in replies begin with */
  readonly root: string
  /** of the client, as far as the proxies in between are trusted */
  readonly address: string
  /** the part of the path that the client asked for, without the query */
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: unknown
  /** the body as it comes, where it is no JSON */
  readonly bytes: Readable
  /** the microversion, where the facade has any */
  readonly version: Microversion
  readonly header: (name: string) => string | undefined
}

/** One request of somebody. */
export interface Call extends OpenCall {
  readonly caller: Caller
}

/** What a route answers. */
export interface Reply {
  readonly status: number
  /** none = a reply without a body; text and streams as they are, all else as JSON */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

interface Place {
  readonly method: 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete'
  readonly path: string
  /** the first microversion that has it */
  readonly since?: `2.${number}`
  /** the first microversion that has it no more */
  readonly until?: `2.${number}`
}
/** Answered without a token. */
export interface OpenRoute extends Place {
  readonly open: true
  readonly run: (call: OpenCall) => Promise<Reply> | Reply
}
/** A route for those whom its rule allows. */
export interface GuardedRoute extends Place {
  readonly open?: never
  readonly rule: Rule
  readonly run: (call: Call) => Promise<Reply> | Reply
}
export type Route = OpenRoute | GuardedRoute

/** Whether a route is there at a version. */
export function hasVersion(place: Place, version: Microversion): boolean {
  return (
    version >= (place.since ? minorOf(place.since) : lowest) &&
    version < (place.until ? minorOf(place.until) : highest + 1)
  )
}

const plainHost = /^(\[[\da-f:.]+\]|[\w.-]+)(:\d+)?$/i

/** Links lead back to where the client came from, unless the settings name a URL. */
export function rootOf(request: Request, config: Config): string {
  const host = request.headers.host ?? ''
  return config.publicUrl === null && plainHost.test(host) ? `http://${host}` : publicUrl(config).replace(/\/$/, '')
}

/** What the first middleware gave it. */
function requestIdOf({ locals }: Response): string {
  const { requestId }: { requestId?: unknown } = locals
  if (typeof requestId !== 'string') throw new Error('a request without an id')
  return requestId
}

function paramsOf({ params }: Request): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(params)) texts[name] = typeof value === 'string' ? value : value.join('/')
  return texts
}

function openCall(cloud: Serving, request: Request, response: Response, version: Microversion): OpenCall {
  const url = new URL(request.originalUrl, 'http://api')
  return {
    ...cloud,
    requestId: requestIdOf(response),
    root: rootOf(request, cloud.config),
    address: request.ip ?? '',
    path: url.pathname,
    params: paramsOf(request),
    query: url.searchParams,
    body: request.body,
    bytes: request,
    version,
    header: (name) => request.get(name),
  }
}

async function send(response: Response, { status, body, headers }: Reply): Promise<void> {
  if (headers) response.set(headers)
  response.status(status)
  if (body === undefined) response.end()
  else if (body instanceof Readable) await pipeline(body, response)
  else if (typeof body === 'string') response.send(body)
  else response.set('Content-Type', 'application/json; charset=utf-8').end(JSON.stringify(body))
}

async function answerAs(caller: Caller, route: GuardedRoute, call: OpenCall): Promise<Reply> {
  allowByRules(caller.accessRules, { method: route.method.toUpperCase(), path: call.path })
  allow(caller, route.rule)
  return await route.run({ ...call, caller })
}

/**
 * A GET changes nothing, so it is answered to whom its token stood for last while the database is asked whether it still does; if not, the
 * answer is thrown away. null = it was, or there was nobody to answer to.
 */
async function answerAhead(route: GuardedRoute, call: OpenCall, response: Response): Promise<Reply | null> {
  const token = call.header('x-auth-token') ?? ''
  const before = route.method === 'get' && token !== '' ? call.bearers.remembered(token) : null
  if (before === null) return null
  const [now, ahead] = await Promise.all([
    call.bearers.findBearer(token),
    Promise.allSettled([answerAs(callerOf(before), route, call)]),
  ])
  const [outcome] = ahead
  if (now !== before) {
    if (outcome.status === 'fulfilled' && outcome.value.body instanceof Readable) outcome.value.body.destroy()
    return null
  }
  response.locals.userId = before.userId
  response.locals.projectId = before.projectId
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}

async function answer(route: Route, call: OpenCall, response: Response): Promise<Reply> {
  if (route.open) return await route.run(call)
  const ahead = await answerAhead(route, call, response)
  if (ahead) return ahead
  const caller = await authenticate(call.bearers, call.header('x-auth-token'))
  response.locals.userId = caller.userId
  response.locals.projectId = caller.projectId
  return await answerAs(caller, route, call)
}

function handler(cloud: Serving, route: Route, versionOf: (request: Request) => Microversion) {
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    const version = versionOf(request)
    if (!hasVersion(route, version)) {
      next()
      return
    }
    await send(response, await answer(route, openCall(cloud, request, response, version), response))
  }
}

/** A path that exists, asked with a method that it has not. */
function wrongMethod(places: readonly Place[], versionOf: (request: Request) => Microversion) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const version = versionOf(request)
    if (places.some((place) => hasVersion(place, version)))
      throw new HttpFault(405, 'The method specified is not allowed for this resource.')
    next()
  }
}

/**
 * Makes a router of a table. Paths are matched strictly: a member with an empty id is not the collection.
 *
 * @param versioned whether requests name a compute microversion
 */
export function routerOf(
  cloud: Serving,
  routes: readonly Route[],
  { versioned }: { readonly versioned: boolean },
): Router {
  const router = express.Router({ strict: true, caseSensitive: true })
  const versionOf = (request: Request): Microversion => (versioned ? negotiate((name) => request.get(name)) : lowest)
  if (versioned)
    router.use((request, response, next) => {
      response.set(versionHeaders(versionOf(request)))
      next()
    })
  for (const route of routes) router[route.method](route.path, handler(cloud, route, versionOf))
  for (const [path, places] of Object.entries(Object.groupBy(routes, (route) => route.path)))
    router.all(path, wrongMethod(places ?? [], versionOf))
  return router
}
