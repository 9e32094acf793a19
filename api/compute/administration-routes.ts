/** Groups of servers, and what administrators ask about all servers: moves, use, events. */
import type { Route } from '../route.ts'
import * as externalEvents from './external-events.ts'
import * as migrations from './migrations.ts'
import * as serverGroups from './server-groups.ts'
import * as auditLog from './usage-audit-log.ts'
import * as usage from './usage.ts'

const may = {
  serverGroups: 'os_compute_api:os-server-groups:show',
  createServerGroup: 'os_compute_api:os-server-groups:create',
  removeServerGroup: 'os_compute_api:os-server-groups:delete',
  migrations: 'os_compute_api:os-migrations:index',
  usage: 'os_compute_api:os-simple-tenant-usage:show',
  allUsage: 'os_compute_api:os-simple-tenant-usage:list',
  auditLog: 'os_compute_api:os-instance-usage-audit-log',
  externalEvents: 'os_compute_api:os-server-external-events:create',
} as const

export const administrationRoutes: readonly Route[] = [
  { method: 'get', path: '/v2.1/os-server-groups', rule: may.serverGroups, run: serverGroups.index },
  { method: 'post', path: '/v2.1/os-server-groups', rule: may.createServerGroup, run: serverGroups.create },
  { method: 'get', path: '/v2.1/os-server-groups/:id', rule: may.serverGroups, run: serverGroups.show },
  { method: 'delete', path: '/v2.1/os-server-groups/:id', rule: may.removeServerGroup, run: serverGroups.remove },
  { method: 'get', path: '/v2.1/os-migrations', rule: may.migrations, run: migrations.index },
  { method: 'get', path: '/v2.1/os-simple-tenant-usage', rule: may.allUsage, run: usage.index },
  { method: 'get', path: '/v2.1/os-simple-tenant-usage/:project', rule: may.usage, run: usage.show },
  { method: 'get', path: '/v2.1/os-instance_usage_audit_log', rule: may.auditLog, run: auditLog.index },
  { method: 'get', path: '/v2.1/os-instance_usage_audit_log/:before', rule: may.auditLog, run: auditLog.show },
  { method: 'post', path: '/v2.1/os-server-external-events', rule: may.externalEvents, run: externalEvents.create },
]
