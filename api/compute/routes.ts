/** The tree of /compute: which path, who may, and what answers it. */
import type { Route } from '../route.ts'
import { remoteConsoles } from './actions/consoles.ts'
import { act } from './actions/index.ts'
import { administrationRoutes } from './administration-routes.ts'
import * as aggregates from './aggregates.ts'
import * as extensions from './extensions.ts'
import * as flavorChanges from './flavor-changes.ts'
import * as flavors from './flavors.ts'
import { gone } from './gone.ts'
import * as hosts from './hosts.ts'
import * as hypervisors from './hypervisors.ts'
import { imageProxyRoutes } from './image-proxies.ts'
import * as instanceActions from './instance-actions.ts'
import * as keypairs from './keypairs.ts'
import { limits } from './limits.ts'
import * as migrations from './migrations.ts'
import { networkProxyRoutes } from './network-proxies.ts'
import * as quotaClasses from './quota-classes.ts'
import * as quotas from './quotas.ts'
import { attach, detach } from './servers/attach.ts'
import { create } from './servers/create.ts'
import { remove } from './servers/delete.ts'
import { diagnostics } from './servers/diagnostics.ts'
import * as attached from './servers/interfaces.ts'
import * as servers from './servers/list.ts'
import * as metadata from './servers/metadata.ts'
import { clearPassword, showPassword } from './servers/password.ts'
import { show } from './servers/show.ts'
import * as tags from './servers/tags.ts'
import { topology } from './servers/topology.ts'
import { update } from './servers/update.ts'
import * as services from './services.ts'
import { allVersions, currentVersion, oldVersion } from './versions.ts'
import * as zones from './zones.ts'

const may = {
  list: 'os_compute_api:servers:index',
  show: 'os_compute_api:servers:show',
  create: 'os_compute_api:servers:create',
  update: 'os_compute_api:servers:update',
  remove: 'os_compute_api:servers:delete',
  readMetadata: 'os_compute_api:server-metadata:index',
  writeMetadata: 'os_compute_api:server-metadata:update',
  ips: 'os_compute_api:ips:index',
  interfaces: 'os_compute_api:os-attach-interfaces:list',
  attach: 'os_compute_api:os-attach-interfaces:create',
  detach: 'os_compute_api:os-attach-interfaces:delete',
  groups: 'os_compute_api:os-security-groups:list',
  actions: 'os_compute_api:os-instance-actions:list',
  flavors: 'os_compute_api:flavors',
  createFlavor: 'os_compute_api:os-flavor-manage:create',
  updateFlavor: 'os_compute_api:os-flavor-manage:update',
  removeFlavor: 'os_compute_api:os-flavor-manage:delete',
  flavorAccess: 'os_compute_api:os-flavor-access',
  extraSpecs: 'os_compute_api:os-flavor-extra-specs:update',
  keypairs: 'os_compute_api:os-keypairs',
  limits: 'os_compute_api:limits',
  quotas: 'os_compute_api:os-quota-sets:show',
  setQuotas: 'os_compute_api:os-quota-sets:update',
  removeQuotas: 'os_compute_api:os-quota-sets:delete',
  quotaClasses: 'os_compute_api:os-quota-class-sets:show',
  setQuotaClasses: 'os_compute_api:os-quota-class-sets:update',
  zones: 'os_compute_api:os-availability-zone:list',
  zonesDetail: 'os_compute_api:os-availability-zone:detail',
  hypervisors: 'os_compute_api:os-hypervisors:list',
  services: 'os_compute_api:os-services:list',
  setServices: 'os_compute_api:os-services:update',
  removeServices: 'os_compute_api:os-services:delete',
  hosts: 'os_compute_api:os-hosts',
  aggregates: 'os_compute_api:os-aggregates',
  extensions: 'os_compute_api:extensions',
  diagnostics: 'os_compute_api:os-server-diagnostics',
  tags: 'os_compute_api:os-server-tags:show',
  setTags: 'os_compute_api:os-server-tags:update',
  topology: 'compute:server:topology:index',
  liveMigrations: 'os_compute_api:servers:migrations:index',
  showMigration: 'os_compute_api:servers:migrations:show',
  showPassword: 'os_compute_api:os-server-password:show',
  clearPassword: 'os_compute_api:os-server-password:clear',
  consoles: 'os_compute_api:os-remote-consoles',
} as const

const versionRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: allVersions },
  { method: 'get', path: '/v2', open: true, run: oldVersion },
  { method: 'get', path: '/v2/', open: true, run: oldVersion },
  { method: 'get', path: '/v2.1', open: true, run: currentVersion },
  { method: 'get', path: '/v2.1/', open: true, run: currentVersion },
]

const serverRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/servers', rule: may.list, run: servers.index },
  { method: 'post', path: '/v2.1/servers', rule: may.create, run: create },
  { method: 'post', path: '/v2.1/os-volumes_boot', rule: may.create, run: create },
  { method: 'get', path: '/v2.1/servers/detail', rule: may.list, run: servers.detail },
  { method: 'get', path: '/v2.1/servers/:id', rule: may.show, run: show },
  { method: 'put', path: '/v2.1/servers/:id', rule: may.update, run: update },
  { method: 'delete', path: '/v2.1/servers/:id', rule: may.remove, run: remove },
  { method: 'post', path: '/v2.1/servers/:id/action', rule: may.show, run: act },
  { method: 'get', path: '/v2.1/servers/:id/metadata', rule: may.readMetadata, run: metadata.index },
  { method: 'post', path: '/v2.1/servers/:id/metadata', rule: may.writeMetadata, run: metadata.merge },
  { method: 'put', path: '/v2.1/servers/:id/metadata', rule: may.writeMetadata, run: metadata.replace },
  { method: 'get', path: '/v2.1/servers/:id/metadata/:key', rule: may.readMetadata, run: metadata.show },
  { method: 'put', path: '/v2.1/servers/:id/metadata/:key', rule: may.writeMetadata, run: metadata.put },
  { method: 'delete', path: '/v2.1/servers/:id/metadata/:key', rule: may.writeMetadata, run: metadata.remove },
  { method: 'get', path: '/v2.1/servers/:id/ips', rule: may.ips, run: attached.ips },
  { method: 'get', path: '/v2.1/servers/:id/ips/:label', rule: may.ips, run: attached.ipsOf },
  { method: 'get', path: '/v2.1/servers/:id/os-interface', rule: may.interfaces, run: attached.interfaces },
  { method: 'get', path: '/v2.1/servers/:id/os-interface/:port', rule: may.interfaces, run: attached.interfaceOf },
  { method: 'post', path: '/v2.1/servers/:id/os-interface', rule: may.attach, run: attach },
  { method: 'delete', path: '/v2.1/servers/:id/os-interface/:port', rule: may.detach, run: detach },
  { method: 'get', path: '/v2.1/servers/:id/os-virtual-interfaces', rule: may.interfaces, run: gone },
  { method: 'get', path: '/v2.1/servers/:id/os-security-groups', rule: may.groups, run: attached.securityGroups },
  { method: 'get', path: '/v2.1/servers/:id/os-volume_attachments', rule: may.show, run: attached.volumes },
  { method: 'get', path: '/v2.1/servers/:id/os-instance-actions', rule: may.actions, run: instanceActions.index },
  {
    method: 'get',
    path: '/v2.1/servers/:id/os-instance-actions/:requestId',
    rule: may.actions,
    run: instanceActions.show,
  },
]

const inspectionRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/servers/:id/diagnostics', rule: may.diagnostics, run: diagnostics },
  { method: 'get', path: '/v2.1/servers/:id/topology', since: '2.78', rule: may.topology, run: topology },
  {
    method: 'get',
    path: '/v2.1/servers/:id/migrations',
    since: '2.23',
    rule: may.liveMigrations,
    run: migrations.indexOf,
  },
  {
    method: 'get',
    path: '/v2.1/servers/:id/migrations/:migration',
    since: '2.23',
    rule: may.showMigration,
    run: migrations.showOf,
  },
  { method: 'get', path: '/v2.1/servers/:id/tags', since: '2.26', rule: may.tags, run: tags.index },
  { method: 'put', path: '/v2.1/servers/:id/tags', since: '2.26', rule: may.setTags, run: tags.replace },
  { method: 'delete', path: '/v2.1/servers/:id/tags', since: '2.26', rule: may.setTags, run: tags.clear },
  { method: 'get', path: '/v2.1/servers/:id/tags/:tag', since: '2.26', rule: may.tags, run: tags.check },
  { method: 'put', path: '/v2.1/servers/:id/tags/:tag', since: '2.26', rule: may.setTags, run: tags.add },
  { method: 'delete', path: '/v2.1/servers/:id/tags/:tag', since: '2.26', rule: may.setTags, run: tags.remove },
  { method: 'get', path: '/v2.1/servers/:id/os-server-password', rule: may.showPassword, run: showPassword },
  { method: 'delete', path: '/v2.1/servers/:id/os-server-password', rule: may.clearPassword, run: clearPassword },
  { method: 'post', path: '/v2.1/servers/:id/remote-consoles', rule: may.consoles, since: '2.6', run: remoteConsoles },
]

const otherRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/os-keypairs', rule: may.keypairs, run: keypairs.index },
  { method: 'post', path: '/v2.1/os-keypairs', rule: may.keypairs, run: keypairs.create },
  { method: 'get', path: '/v2.1/os-keypairs/:name', rule: may.keypairs, run: keypairs.show },
  { method: 'delete', path: '/v2.1/os-keypairs/:name', rule: may.keypairs, run: keypairs.remove },
  { method: 'get', path: '/v2.1/limits', rule: may.limits, run: limits },
  { method: 'get', path: '/v2.1/extensions', rule: may.extensions, run: extensions.index },
  { method: 'get', path: '/v2.1/extensions/:alias', rule: may.extensions, run: extensions.show },
]

const quotaRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/os-quota-sets/:project', rule: may.quotas, run: quotas.show },
  { method: 'put', path: '/v2.1/os-quota-sets/:project', rule: may.setQuotas, run: quotas.update },
  { method: 'delete', path: '/v2.1/os-quota-sets/:project', rule: may.removeQuotas, run: quotas.remove },
  { method: 'get', path: '/v2.1/os-quota-sets/:project/defaults', rule: may.quotas, run: quotas.defaults },
  { method: 'get', path: '/v2.1/os-quota-sets/:project/detail', rule: may.quotas, run: quotas.detail },
  { method: 'get', path: '/v2.1/os-quota-class-sets/:name', rule: may.quotaClasses, run: quotaClasses.show },
  { method: 'put', path: '/v2.1/os-quota-class-sets/:name', rule: may.setQuotaClasses, run: quotaClasses.update },
]

const flavorRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/flavors', rule: may.flavors, run: flavors.index },
  { method: 'get', path: '/v2.1/flavors/detail', rule: may.flavors, run: flavors.detail },
  { method: 'get', path: '/v2.1/flavors/:id', rule: may.flavors, run: flavors.show },
  { method: 'get', path: '/v2.1/flavors/:id/os-extra_specs', rule: may.flavors, run: flavors.extraSpecs },
  { method: 'get', path: '/v2.1/flavors/:id/os-extra_specs/:key', rule: may.flavors, run: flavors.extraSpec },
  { method: 'post', path: '/v2.1/flavors', rule: may.createFlavor, run: flavorChanges.create },
  { method: 'put', path: '/v2.1/flavors/:id', since: '2.55', rule: may.updateFlavor, run: flavorChanges.update },
  { method: 'delete', path: '/v2.1/flavors/:id', rule: may.removeFlavor, run: flavorChanges.remove },
  { method: 'post', path: '/v2.1/flavors/:id/action', rule: may.flavorAccess, run: flavorChanges.act },
  { method: 'get', path: '/v2.1/flavors/:id/os-flavor-access', rule: may.flavorAccess, run: flavorChanges.access },
  {
    method: 'post',
    path: '/v2.1/flavors/:id/os-extra_specs',
    rule: may.extraSpecs,
    run: flavorChanges.createExtraSpecs,
  },
  {
    method: 'put',
    path: '/v2.1/flavors/:id/os-extra_specs/:key',
    rule: may.extraSpecs,
    run: flavorChanges.updateExtraSpec,
  },
  {
    method: 'delete',
    path: '/v2.1/flavors/:id/os-extra_specs/:key',
    rule: may.extraSpecs,
    run: flavorChanges.removeExtraSpecOf,
  },
]

const hostRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/os-availability-zone', rule: may.zones, run: zones.index },
  { method: 'get', path: '/v2.1/os-availability-zone/detail', rule: may.zonesDetail, run: zones.detail },
  { method: 'get', path: '/v2.1/os-hypervisors', rule: may.hypervisors, run: hypervisors.index },
  { method: 'get', path: '/v2.1/os-hypervisors/detail', rule: may.hypervisors, run: hypervisors.detail },
  {
    method: 'get',
    path: '/v2.1/os-hypervisors/statistics',
    until: '2.88',
    rule: may.hypervisors,
    run: hypervisors.statistics,
  },
  { method: 'get', path: '/v2.1/os-hypervisors/:id', rule: may.hypervisors, run: hypervisors.show },
  {
    method: 'get',
    path: '/v2.1/os-hypervisors/:id/uptime',
    until: '2.88',
    rule: may.hypervisors,
    run: hypervisors.uptime,
  },
  {
    method: 'get',
    path: '/v2.1/os-hypervisors/:id/search',
    until: '2.53',
    rule: may.hypervisors,
    run: hypervisors.search,
  },
  {
    method: 'get',
    path: '/v2.1/os-hypervisors/:id/servers',
    until: '2.53',
    rule: may.hypervisors,
    run: hypervisors.servers,
  },
  { method: 'get', path: '/v2.1/os-services', rule: may.services, run: services.index },
  { method: 'put', path: '/v2.1/os-services/:action', until: '2.53', rule: may.setServices, run: services.act },
  { method: 'put', path: '/v2.1/os-services/:id', since: '2.53', rule: may.setServices, run: services.update },
  { method: 'delete', path: '/v2.1/os-services/:id', rule: may.removeServices, run: services.remove },
  { method: 'get', path: '/v2.1/os-hosts', until: '2.43', rule: may.hosts, run: hosts.index },
  { method: 'get', path: '/v2.1/os-hosts/:name', until: '2.43', rule: may.hosts, run: hosts.show },
  { method: 'put', path: '/v2.1/os-hosts/:name', until: '2.43', rule: may.hosts, run: hosts.update },
  { method: 'get', path: '/v2.1/os-hosts/:name/startup', until: '2.43', rule: may.hosts, run: hosts.power },
  { method: 'get', path: '/v2.1/os-hosts/:name/shutdown', until: '2.43', rule: may.hosts, run: hosts.power },
  { method: 'get', path: '/v2.1/os-hosts/:name/reboot', until: '2.43', rule: may.hosts, run: hosts.power },
  { method: 'get', path: '/v2.1/os-aggregates', rule: may.aggregates, run: aggregates.index },
  { method: 'post', path: '/v2.1/os-aggregates', rule: may.aggregates, run: aggregates.create },
  { method: 'get', path: '/v2.1/os-aggregates/:id', rule: may.aggregates, run: aggregates.show },
  { method: 'put', path: '/v2.1/os-aggregates/:id', rule: may.aggregates, run: aggregates.update },
  { method: 'delete', path: '/v2.1/os-aggregates/:id', rule: may.aggregates, run: aggregates.remove },
  { method: 'post', path: '/v2.1/os-aggregates/:id/action', rule: may.aggregates, run: aggregates.act },
  {
    method: 'post',
    path: '/v2.1/os-aggregates/:id/images',
    since: '2.81',
    rule: may.aggregates,
    run: aggregates.cacheImages,
  },
]

export const computeRoutes: readonly Route[] = [
  ...versionRoutes,
  ...serverRoutes,
  ...inspectionRoutes,
  ...flavorRoutes,
  ...quotaRoutes,
  ...hostRoutes,
  ...administrationRoutes,
  ...otherRoutes,
  ...imageProxyRoutes,
  ...networkProxyRoutes,
]
