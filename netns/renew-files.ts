/** The program behind `renewFiles`: told on standard input what to bind into which process's mount namespace, it answers what failed. */
import { closeSync, openSync } from 'node:fs'
import { stdin, stdout } from 'node:process'
import { text } from 'node:stream/consumers'
import koffi from 'koffi'
import { messageOf, Unavailable } from '../core/errors.ts'
import { guestFiles, type BoundFile, type GuestFiles } from './bound-files.ts'

const atCwd = -100
const cloneFs = 0x200
const cloneNewNs = 0x20000
const openTreeClone = 1
/** O_CLOEXEC, by its value in every architecture of Linux but alpha, parisc and sparc */
const openTreeCloexec = 0o2000000
const moveMountFromFd = 4
const atEmptyPath = 0x1000
const attributeReadOnly = 1n
const mntDetach = 2

// Source: open_tree, move_mount and mount_setattr of glibc 2.36, with linux/mount.h.
const libc = koffi.load('libc.so.6')
const unshare = libc.func('int unshare(int flags)')
const setns = libc.func('int setns(int fd, int nstype)')
const umount2 = libc.func('int umount2(const char *target, int flags)')
const openTree = libc.func('int open_tree(int directory, const char *path, uint flags)')
const moveMount = libc.func('int move_mount(int from, const char *fromPath, int to, const char *toPath, uint flags)')
const mountSetattr = libc.func(
  'int mount_setattr(int directory, const char *path, uint flags, uint8_t *attributes, size_t size)',
)

function check(what: string, answer: unknown): number {
  if (typeof answer === 'number' && answer >= 0) return answer
  throw new Unavailable(`${what}: errno ${koffi.errno()}`)
}

/** A mount of the file that stands nowhere yet. */
function detached({ source, isReadOnly }: BoundFile): number {
  const tree = check(`open ${source}`, openTree(atCwd, source, openTreeClone | openTreeCloexec))
  if (!isReadOnly) return tree
  const attributes = Buffer.alloc(32)
  attributes.writeBigUInt64LE(attributeReadOnly, 0)
  check(`make ${source} read-only`, mountSetattr(tree, '', atEmptyPath, attributes, attributes.length))
  return tree
}

function renew({ pid, files }: GuestFiles, home: number): void {
  const trees = files.map((file) => ({ ...file, tree: detached(file) }))
  const there = openSync(`/proc/${pid}/ns/mnt`, 'r')
  try {
    check(`enter the mounts of process ${pid}`, setns(there, cloneNewNs))
    try {
      for (const { target, tree } of trees) {
        check(`unmount ${target}`, umount2(target, mntDetach))
        check(`mount ${target}`, moveMount(tree, '', atCwd, target, moveMountFromFd))
      }
    } finally {
      check('come back', setns(home, cloneNewNs))
    }
  } finally {
    closeSync(there)
    for (const { tree } of trees) closeSync(tree)
  }
}

function tryToRenew(guest: GuestFiles, home: number): string | null {
  try {
    renew(guest, home)
    return null
  } catch (error) {
    return messageOf(error)
  }
}

const guests = guestFiles.array().parse(JSON.parse(await text(stdin)))
// The other threads of this process have the same root and working directory: nobody may change both of them by the way.
check('part with the other threads', unshare(cloneFs))
const home = openSync('/proc/self/ns/mnt', 'r')
const outcome = guests.map((guest) => ({ pid: guest.pid, error: tryToRenew(guest, home) }))
stdout.write(JSON.stringify(outcome))
