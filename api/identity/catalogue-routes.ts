/** Services, endpoints and regions, and the catalogue made of them. */
import type { Call, Reply, Route } from '../route.ts'
import { self } from './answer.ts'
import { catalog } from './catalog.ts'
import * as endpoints from './endpoints.ts'
import * as regions from './regions.ts'
import * as services from './services.ts'

async function authCatalog(call: Call): Promise<Reply> {
  return { status: 200, body: { catalog: await catalog(call, call.caller), links: self(call, 'auth/catalog') } }
}

export const catalogueRoutes: readonly Route[] = [
  { method: 'get', path: '/v3/auth/catalog', rule: 'identity:own', run: authCatalog },
  { method: 'get', path: '/v3/services', rule: 'identity:list_services', run: services.index },
  { method: 'post', path: '/v3/services', rule: 'identity:create_service', run: services.create },
  { method: 'get', path: '/v3/services/:id', rule: 'identity:list_services', run: services.show },
  { method: 'patch', path: '/v3/services/:id', rule: 'identity:update_service', run: services.update },
  { method: 'delete', path: '/v3/services/:id', rule: 'identity:delete_service', run: services.remove },
  { method: 'get', path: '/v3/endpoints', rule: 'identity:list_endpoints', run: endpoints.index },
  { method: 'post', path: '/v3/endpoints', rule: 'identity:create_endpoint', run: endpoints.create },
  { method: 'get', path: '/v3/endpoints/:id', rule: 'identity:list_endpoints', run: endpoints.show },
  { method: 'patch', path: '/v3/endpoints/:id', rule: 'identity:update_endpoint', run: endpoints.update },
  { method: 'delete', path: '/v3/endpoints/:id', rule: 'identity:delete_endpoint', run: endpoints.remove },
  { method: 'get', path: '/v3/regions', rule: 'identity:own', run: regions.index },
  { method: 'post', path: '/v3/regions', rule: 'identity:create_region', run: regions.create },
  { method: 'get', path: '/v3/regions/:id', rule: 'identity:own', run: regions.show },
  { method: 'patch', path: '/v3/regions/:id', rule: 'identity:update_region', run: regions.update },
  { method: 'delete', path: '/v3/regions/:id', rule: 'identity:delete_region', run: regions.remove },
]
