/** Network namespaces that outlive their processes. The one place that enters a namespace. */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import koffi from 'koffi'
import { CloudError, hasCode, Unavailable } from '../core/errors.ts'

/** A guest's network namespace; `usernsPath` is the user namespace that owns it, null where guests share the host's users. */
export interface Namespace {
  readonly netnsPath: string
  readonly usernsPath: string | null
}

/** Where namespaces stand, and whom the root of their guests is on the host: 0 = the host's own root. */
export interface NamespaceSettings {
  readonly directory: string
  readonly guestRootUid: number
}

const cloneNewNet = 0x40000000
const msBind = 4096
const mntDetach = 2
/** linux/magic.h */
const nsfsMagic = 0x6e736673
/** As many users as Docker's userns-remap gives to a guest. */
const guestUsers = 65536

const libc = koffi.load('libc.so.6')
const setns = libc.func('int setns(int fd, int nstype)')
const unshare = libc.func('int unshare(int flags)')
const mount = libc.func('int mount(const char *source, const char *target, const char *type, ulong flags, void *data)')
const umount2 = libc.func('int umount2(const char *target, int flags)')

function bindMount(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true })
  closeSync(openSync(target, 'a'))
  if (mount(source, target, null, msBind, null) !== 0) {
    throw new Unavailable(`namespace: ${source} was not mounted at ${target}, errno ${koffi.errno()}`)
  }
}

/**
 * Runs `work` inside a network namespace. setns(2) moves only the calling thread, so `work` must be synchronous: what it opens
 * (sockets) stays in that namespace for good.
 */
export function withNamespace<T>(path: string, work: () => T): T {
  const target = openSync(path, 'r')
  const home = openSync('/proc/thread-self/ns/net', 'r')
  try {
    if (setns(target, cloneNewNet) !== 0)
      throw new Unavailable(`namespace ${path} was not entered, errno ${koffi.errno()}`)
    try {
      return work()
    } finally {
      // A thread that cannot go home would do the host's work in a guest's network.
      if (setns(home, cloneNewNet) !== 0) process.abort()
    }
  } finally {
    closeSync(target)
    closeSync(home)
  }
}

/** Whether a namespace is mounted there: after a reboot of the host only the empty file is left. */
export function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === nsfsMagic
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

function createPlain(netnsPath: string): void {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  try {
    if (unshare(cloneNewNet) !== 0) throw new Unavailable(`no new network namespace, errno ${koffi.errno()}`)
    try {
      bindMount('/proc/thread-self/ns/net', netnsPath)
    } finally {
      if (setns(home, cloneNewNet) !== 0) process.abort()
    }
  } finally {
    closeSync(home)
  }
}

/** A new namespace that lives as long as this descriptor of it, or a socket in it. */
export function openUnnamed(): number {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  try {
    if (unshare(cloneNewNet) !== 0) throw new Unavailable(`no new network namespace, errno ${koffi.errno()}`)
    try {
      return openSync('/proc/thread-self/ns/net', 'r')
    } finally {
      if (setns(home, cloneNewNet) !== 0) process.abort()
    }
  } finally {
    closeSync(home)
  }
}

/** A user namespace can be made only by a process with one thread: a small holder makes both, and ends when they are mounted. */
async function createOwned(netnsPath: string, usernsPath: string, rootUid: number): Promise<void> {
  const holder = execa('unshare', ['--user', '--net', 'sh', '-c', 'echo ready; read end'], {
    timeout: 10_000,
    reject: false,
    stdin: 'pipe',
  })
  try {
    const ready = await new Promise<boolean>((resolve) => {
      holder.stdout.once('data', () => resolve(true))
      void holder.then(() => resolve(false))
    })
    if (!ready) throw new Unavailable(`no new user namespace: ${(await holder).stderr || 'unshare ended'}`)
    const map = `0 ${rootUid} ${guestUsers}`
    writeFileSync(`/proc/${String(holder.pid)}/uid_map`, map)
    writeFileSync(`/proc/${String(holder.pid)}/gid_map`, map)
    bindMount(`/proc/${String(holder.pid)}/ns/user`, usernsPath)
    bindMount(`/proc/${String(holder.pid)}/ns/net`, netnsPath)
  } finally {
    holder.stdin.end()
    await holder
  }
}

function unmount(path: string): void {
  while (isNamespace(path)) {
    if (umount2(path, mntDetach) !== 0)
      throw new CloudError('unavailable', `namespace ${path} was not unmounted, errno ${koffi.errno()}`)
  }
  rmSync(path, { force: true })
}

function pathsOf({ directory, guestRootUid }: NamespaceSettings, name: string): Namespace {
  const netnsPath = join(directory, name)
  return { netnsPath, usernsPath: guestRootUid === 0 ? null : `${netnsPath}.user` }
}

/** The namespace of that name, or null when it is not there as a whole. */
export function findNamespace(settings: NamespaceSettings, name: string): Namespace | null {
  const namespace = pathsOf(settings, name)
  const { netnsPath, usernsPath } = namespace
  return isNamespace(netnsPath) && (usernsPath === null || isNamespace(usernsPath)) ? namespace : null
}

/** The namespace of that name, made when it is not there. Not to be called twice at once for one name. */
export async function ensureNamespace(settings: NamespaceSettings, name: string): Promise<Namespace> {
  const found = findNamespace(settings, name)
  if (found) return found
  removeNamespace(settings, name)
  const namespace = pathsOf(settings, name)
  const { netnsPath, usernsPath } = namespace
  if (usernsPath === null) createPlain(netnsPath)
  else await createOwned(netnsPath, usernsPath, settings.guestRootUid)
  return namespace
}

/** The namespace, and with it every link inside, is gone as soon as no process is in it. A missing one counts as removed. */
export function removeNamespace({ directory }: NamespaceSettings, name: string): void {
  unmount(join(directory, name))
  unmount(join(directory, `${name}.user`))
}

/** Where gateways stand that must not meet others: beside the guests' namespaces, named by their devices. */
export function gatewayNamespaces({ directory }: Pick<NamespaceSettings, 'directory'>): NamespaceSettings {
  return { directory: join(dirname(directory), 'gateways'), guestRootUid: 0 }
}

const sparePrefix = '.spare-'

/** The name of a namespace that is nobody's yet. */
export function spareName(id: string): string {
  return `${sparePrefix}${id}`
}

function listAll({ directory }: NamespaceSettings): readonly string[] {
  mkdirSync(directory, { recursive: true })
  return readdirSync(directory).filter((name) => !name.endsWith('.user'))
}

/** The names of all that stand in the directory, spares left out. */
export function listNamespaces(settings: NamespaceSettings): readonly string[] {
  return listAll(settings).filter((name) => !name.startsWith(sparePrefix))
}

/** Spares that are whole: both of a pair stand. */
export function listSpares(settings: NamespaceSettings): readonly string[] {
  return listAll(settings).filter((name) => name.startsWith(sparePrefix) && findNamespace(settings, name) !== null)
}

/** All go, spares too. */
export function removeAllNamespaces(settings: NamespaceSettings): void {
  for (const name of listAll(settings)) removeNamespace(settings, name)
}

/** The namespace stands under the new name only. What stood there before is gone. */
export function renameNamespace(settings: NamespaceSettings, from: string, to: string): void {
  removeNamespace(settings, to)
  const [source, target] = [pathsOf(settings, from), pathsOf(settings, to)]
  if (source.usernsPath !== null && target.usernsPath !== null) bindMount(source.usernsPath, target.usernsPath)
  bindMount(source.netnsPath, target.netnsPath)
  removeNamespace(settings, from)
}
