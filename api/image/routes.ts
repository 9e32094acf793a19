/** The tree of /image. */
import type { Route } from '../route.ts'
import { allVersions, index, root, show } from './images.ts'

export const imageRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: root },
  { method: 'get', path: '/versions', open: true, run: allVersions },
  { method: 'get', path: '/v2/images', rule: 'get_image', run: index },
  { method: 'get', path: '/v2/images/:id', rule: 'get_image', run: show },
]
