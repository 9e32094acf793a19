/**
 * /os-instance_usage_audit_log: which hosts told, at the end of a month, which servers they had. Hosts here tell nobody of their own
 * accord (what was used is asked of /os-simple-tenant-usage), so none has. Source: nova/api/openstack/compute/instance_usage_audit_log.py.
 */
import { Invalid } from '../../core/errors.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import type { Call, Reply } from '../route.ts'

type Json = Readonly<Record<string, unknown>>

/** 2026-01-01 00:00:00 */
function time(date: Date): string {
  return date.toISOString().replace('T', ' ').slice(0, 19)
}

/** The last whole month before a time. */
function monthBefore(date: Date): { readonly beginning: Date; readonly ending: Date } {
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { beginning: new Date(Date.UTC(year, month - 1)), ending: new Date(Date.UTC(year, month)) }
}

async function log({ db }: Call, before: Date): Promise<Json> {
  const { beginning, ending } = monthBefore(before)
  const names = (await hostsWithUse(db)).map(({ name }) => name)
  return {
    period_beginning: time(beginning),
    period_ending: time(ending),
    num_hosts: names.length,
    num_hosts_done: 0,
    num_hosts_running: 0,
    num_hosts_not_run: names.length,
    hosts_not_run: names,
    total_instances: 0,
    total_errors: 0,
    overall_status: `0 of ${names.length} hosts done. 0 errors.`,
    log: {},
  }
}

export async function index(call: Call): Promise<Reply> {
  return { status: 200, body: { instance_usage_audit_logs: await log(call, new Date()) } }
}

/** @throws Invalid when the path names no time */
export async function show(call: Call): Promise<Reply> {
  const { before = '' } = call.params
  const form = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/
  const date = new Date(`${before.replace(' ', 'T')}Z`)
  if (!form.test(before) || Number.isNaN(date.getTime())) throw new Invalid(`Invalid timestamp for date ${before}`)
  return { status: 200, body: { instance_usage_audit_log: await log(call, date) } }
}
