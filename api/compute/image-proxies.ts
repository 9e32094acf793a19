/** Nova's view of images, which ends with 2.36, and with 2.39 for their metadata; clients ask Glance since. */
import type { Route } from '../route.ts'
import * as metadata from './image-metadata.ts'
import * as images from './images.ts'

const rules = { see: 'get_image', change: 'modify_image', remove: 'delete_image' } as const

const imageRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/images', rule: rules.see, run: images.index },
  { method: 'get', path: '/v2.1/images/detail', rule: rules.see, run: images.detail },
  { method: 'get', path: '/v2.1/images/:id', rule: rules.see, run: images.show },
  { method: 'delete', path: '/v2.1/images/:id', rule: rules.remove, run: images.remove },
]

const metadataRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/images/:id/metadata', rule: rules.see, run: metadata.index },
  { method: 'post', path: '/v2.1/images/:id/metadata', rule: rules.change, run: metadata.merge },
  { method: 'put', path: '/v2.1/images/:id/metadata', rule: rules.change, run: metadata.replace },
  { method: 'get', path: '/v2.1/images/:id/metadata/:key', rule: rules.see, run: metadata.show },
  { method: 'put', path: '/v2.1/images/:id/metadata/:key', rule: rules.change, run: metadata.put },
  { method: 'delete', path: '/v2.1/images/:id/metadata/:key', rule: rules.change, run: metadata.remove },
]

export const imageProxyRoutes: readonly Route[] = [
  ...imageRoutes.map((route) => ({ ...route, until: '2.36' as const })),
  ...metadataRoutes.map((route) => ({ ...route, until: '2.39' as const })),
]
