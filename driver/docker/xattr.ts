/** Extended attributes of files that are named by their bytes. Source: xattr(7); links are not followed at the end of a path. */
import koffi from 'koffi'
import { Unavailable } from '../../core/errors.ts'

const libc = koffi.load('libc.so.6')
const lgetxattr = libc.func('long lgetxattr(const uint8_t *path, const char *name, _Out_ uint8_t *value, ulong size)')
const lsetxattr = libc.func(
  'int lsetxattr(const uint8_t *path, const char *name, const uint8_t *value, ulong size, int flags)',
)
const lremovexattr = libc.func('int lremovexattr(const uint8_t *path, const char *name)')
const llistxattr = libc.func('long llistxattr(const uint8_t *path, _Out_ uint8_t *list, ulong size)')

/** XATTR_LIST_MAX of linux/limits.h */
const mostBytes = 65_536

function bytesOf(path: string): Buffer {
  return Buffer.from(`${path}\0`, 'latin1')
}

/** Whether the attribute has this value; a file that is gone has none. */
export function hasAttribute(path: string, name: string, value: string): boolean {
  const found = Buffer.alloc(64)
  const size = Number(lgetxattr(bytesOf(path), name, found, found.length))
  return size >= 0 && found.subarray(0, size).toString('latin1') === value
}

/** @throws Unavailable */
export function setAttribute(path: string, name: string, value: string): void {
  const bytes = Buffer.from(value, 'latin1')
  if (lsetxattr(bytesOf(path), name, bytes, bytes.length, 0) !== 0)
    throw new Unavailable(`${name} of ${path} was not set, errno ${koffi.errno()}`)
}

/** Takes this attribute away, or all when none is named. One that is not there counts as taken away. */
export function dropAttributes(path: string, name?: string): void {
  const file = bytesOf(path)
  if (name !== undefined) {
    lremovexattr(file, name)
    return
  }
  const list = Buffer.alloc(mostBytes)
  const size = Number(llistxattr(file, list, list.length))
  if (size <= 0) return
  for (const one of list.subarray(0, size).toString('latin1').split('\0').filter(Boolean)) lremovexattr(file, one)
}
