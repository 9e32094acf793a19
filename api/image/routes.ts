/** The tree of /image. */
import type { Route } from '../route.ts'
import * as actions from './actions.ts'
import { create } from './create.ts'
import { download, importImage, stage, upload } from './file.ts'
import { index, show } from './images.ts'
import * as members from './members.ts'
import * as schemas from './schemas.ts'
import { update } from './update.ts'
import { allVersions, root } from './versions.ts'

const memberRoutes: readonly Route[] = [
  { method: 'get', path: '/v2/images/:id/members', rule: 'get_members', run: members.index },
  { method: 'post', path: '/v2/images/:id/members', rule: 'add_member', run: members.create },
  { method: 'get', path: '/v2/images/:id/members/:member', rule: 'get_members', run: members.show },
  { method: 'put', path: '/v2/images/:id/members/:member', rule: 'modify_member', run: members.update },
  { method: 'delete', path: '/v2/images/:id/members/:member', rule: 'delete_member', run: members.remove },
]

const schemaRoutes: readonly Route[] = [
  { method: 'get', path: '/v2/schemas/image', rule: 'get_image', run: schemas.imageSchema },
  { method: 'get', path: '/v2/schemas/images', rule: 'get_image', run: schemas.imagesSchema },
  { method: 'get', path: '/v2/schemas/member', rule: 'get_image', run: schemas.memberSchema },
  { method: 'get', path: '/v2/schemas/members', rule: 'get_image', run: schemas.membersSchema },
  { method: 'get', path: '/v2/info/import', rule: 'get_image', run: schemas.importMethods },
]

export const imageRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: root },
  { method: 'get', path: '/versions', open: true, run: allVersions },
  { method: 'get', path: '/v2/images', rule: 'get_image', run: index },
  { method: 'post', path: '/v2/images', rule: 'add_image', run: create },
  { method: 'get', path: '/v2/images/:id', rule: 'get_image', run: show },
  { method: 'patch', path: '/v2/images/:id', rule: 'modify_image', run: update },
  { method: 'delete', path: '/v2/images/:id', rule: 'delete_image', run: actions.remove },
  { method: 'get', path: '/v2/images/:id/file', rule: 'download_image', run: download },
  { method: 'put', path: '/v2/images/:id/file', rule: 'upload_image', run: upload },
  { method: 'put', path: '/v2/images/:id/stage', rule: 'upload_image', run: stage },
  { method: 'post', path: '/v2/images/:id/import', rule: 'upload_image', run: importImage },
  { method: 'post', path: '/v2/images/:id/actions/deactivate', rule: 'deactivate', run: actions.deactivate },
  { method: 'post', path: '/v2/images/:id/actions/reactivate', rule: 'reactivate', run: actions.reactivate },
  { method: 'put', path: '/v2/images/:id/tags/:tag', rule: 'modify_image', run: actions.addTag },
  { method: 'delete', path: '/v2/images/:id/tags/:tag', rule: 'modify_image', run: actions.removeTag },
  ...memberRoutes,
  ...schemaRoutes,
]
