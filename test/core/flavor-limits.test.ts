import { expect, test } from '@jest/globals'
import { cpuLimitsOf, diskSpeedsOf, isLimited } from '../../core/flavor-limits.ts'

test('without words of its flavor a guest has its CPUs whole', () => {
  const whole = { shares: null, periodMicroseconds: 100_000, quotaMicroseconds: 200_000 }
  expect(cpuLimitsOf({ vcpus: 2, extraSpecs: {} })).toEqual(whole)
  expect(cpuLimitsOf({ vcpus: 2, extraSpecs: { 'quota:cpu_quota': '-1' } })).toEqual(whole)
})

test('the quota of a flavor is that of one CPU, and never more than the period', () => {
  const extraSpecs = { 'quota:cpu_shares': '2048', 'quota:cpu_period': '20000', 'quota:cpu_quota': '10000' }
  const limits = { shares: 2048, periodMicroseconds: 20_000, quotaMicroseconds: 40_000 }
  expect(cpuLimitsOf({ vcpus: 4, extraSpecs })).toEqual(limits)
  const much = cpuLimitsOf({ vcpus: 1, extraSpecs: { ...extraSpecs, 'quota:cpu_quota': '90000' } })
  expect(much.quotaMicroseconds).toBe(20_000)
  const odd = cpuLimitsOf({ vcpus: 1, extraSpecs: { 'quota:cpu_period': '7', 'quota:cpu_quota': '3' } })
  expect(odd).toMatchObject({ periodMicroseconds: 1000, quotaMicroseconds: 1000 })
})

test('a total holds in both directions, and what is said of one direction goes before', () => {
  const speeds = diskSpeedsOf({ 'quota:disk_total_bytes_sec': '1000', 'quota:disk_read_bytes_sec': '500' })
  expect(speeds).toEqual({ readBytes: 500, writeBytes: 1000, readRequests: null, writeRequests: null })
  expect(isLimited(speeds)).toBe(true)
  expect(isLimited(diskSpeedsOf({ 'hw:cpu_policy': 'shared' }))).toBe(false)
})
