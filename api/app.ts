/** The HTTP application: seven facades on one port, each a table of routes with its own way to say what went wrong. */
import { randomUUID } from 'node:crypto'
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express'
import { berthRoutes } from './berth/routes.ts'
import { computeRoutes } from './compute/routes.ts'
import {
  computeFault,
  faultOf,
  HttpFault,
  identityFault,
  imageFault,
  networkFault,
  placementFault,
  type WriteFault,
} from './faults.ts'
import { TooManyAttempts } from './identity/login-guard.ts'
import { identityRoutes } from './identity/routes.ts'
import { imageRoutes } from './image/routes.ts'
import { ipamRoutes } from './ipam/routes.ts'
import { networkRoutes } from './network/routes.ts'
import { refuseOddJson } from './odd-json.ts'
import { Keystone } from './keystone.ts'
import { KnownBearers } from './known-bearers.ts'
import { placementRoutes } from './placement/routes.ts'
import { routerOf, rootOf, type Cloud, type Route } from './route.ts'

/** One service, under its path. */
export interface Facade {
  readonly at: string
  readonly routes: readonly Route[]
  readonly writeFault: WriteFault
  readonly versioned: boolean
}

export const facades: readonly Facade[] = [
  { at: '/identity', routes: identityRoutes, writeFault: identityFault, versioned: false },
  { at: '/compute', routes: computeRoutes, writeFault: computeFault, versioned: true },
  { at: '/image', routes: imageRoutes, writeFault: imageFault, versioned: false },
  { at: '/networking', routes: networkRoutes, writeFault: networkFault, versioned: false },
  { at: '/ipam', routes: ipamRoutes, writeFault: identityFault, versioned: false },
  { at: '/berth', routes: berthRoutes, writeFault: identityFault, versioned: false },
  { at: '/placement', routes: placementRoutes, writeFault: placementFault, versioned: false },
]

/** Room for user data of 64 KiB in base64, and all the rest. */
const largestBody = '256kb'

/** Glance's patches are JSON by another name. */
const jsonTypes = [
  'application/json',
  'application/*+json',
  'application/openstack-images-v2.1-json-patch',
  'application/openstack-images-v2.0-json-patch',
] as const

const requestIdForm = /^req-[0-9a-f-]{36}$/

/** One id per request, in the reply, the log, the jobs and the actions; one line per request in the log. */
function track({ log }: Cloud) {
  return (request: Request, response: Response, next: () => void): void => {
    const requestId = `req-${randomUUID()}`
    const started = performance.now()
    response.locals.requestId = requestId
    response.set({ 'x-compute-request-id': requestId, 'x-openstack-request-id': requestId })
    const global = request.get('x-openstack-request-id') ?? ''
    const path = request.originalUrl.split('?', 1)[0]
    response.on('close', () => {
      const { userId, projectId }: { userId?: unknown; projectId?: unknown } = response.locals
      const ms = Math.round((performance.now() - started) * 10) / 10
      log.info(
        {
          requestId,
          method: request.method,
          path,
          status: response.statusCode,
          ms,
          userId,
          projectId,
          ...(requestIdForm.test(global) ? { globalRequestId: global } : {}),
        },
        response.writableFinished ? 'request answered' : 'request aborted',
      )
    })
    next()
  }
}

function refuseNulInUrl({ originalUrl }: Request, _response: Response, next: () => void): void {
  if (originalUrl.includes('%00')) throw new HttpFault(400, 'Malformed URL')
  next()
}

/** A body of another kind would be taken for none, and what it lacks be complained of. The image API takes bytes too. */
function refuseOtherTypes(request: Request, _response: Response, next: () => void): void {
  const isEmpty = request.get('content-length') === '0' || request.get('content-type') === undefined
  if (!isEmpty && request.is([...jsonTypes]) === false)
    throw new HttpFault(415, 'Unsupported Content-Type: a body is application/json.')
  next()
}

function faultHandler({ log, config }: Cloud, { writeFault }: Facade): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error)
      return
    }
    const fault = faultOf(error)
    const { requestId }: { requestId?: unknown } = response.locals
    if (fault.status >= 500) log.error({ requestId, err: error }, 'request failed')
    if (fault.status === 401) {
      const uri = config.identity.keystone ?? `${rootOf(request, config)}/identity`
      response.set('WWW-Authenticate', `Keystone uri="${uri}"`)
    }
    if (error instanceof TooManyAttempts) response.set('Retry-After', String(error.retryAfterSeconds))
    const { contentType, body } = writeFault(fault, request.get('accept') ?? '')
    response.status(fault.status).set('Content-Type', contentType).end(body)
  }
}

/** Nothing of the app is started: the caller listens. */
export function createApp(cloud: Cloud): Express {
  const app = express()
  app
    .disable('x-powered-by')
    .disable('etag')
    .set('strict routing', true)
    .set('trust proxy', [...cloud.config.trustedProxies])
  app.use(track(cloud))
  const keystone = Keystone.of(cloud.db, cloud.config)
  const serving = { ...cloud, keystone, bearers: keystone ?? new KnownBearers(cloud.db) }
  for (const facade of facades) {
    const isElsewhere = facade.at === '/identity' && serving.keystone !== null
    app.use(
      facade.at,
      refuseNulInUrl,
      ...(facade.at === '/image' ? [] : [refuseOtherTypes]),
      express.json({ limit: largestBody, strict: false, type: [...jsonTypes], verify: refuseOddJson }),
      routerOf(serving, isElsewhere ? [] : facade.routes, facade),
      () => {
        throw new HttpFault(
          404,
          isElsewhere
            ? `The identity service of this cloud is at ${cloud.config.identity.keystone ?? ''}`
            : 'The resource could not be found.',
        )
      },
      faultHandler(cloud, facade),
    )
  }
  app.use((_request, response) => {
    response.status(404).json({ error: { code: 404, title: 'Not Found', message: 'The resource could not be found.' } })
  })
  return app
}
