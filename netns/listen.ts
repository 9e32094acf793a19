/** Sockets of servers in another namespace. Source: socket(2), bind(2), ip(7) */
import koffi from 'koffi'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'
import { withNamespace } from './namespace.ts'

const afInet = 2
const sockStream = 1
const sockDgram = 2
const sockNonblock = 0o4000
const sockCloexec = 0o2000000
const backlog = 511

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)')
const listen = libc.func('int listen(int fd, int backlog)')
const close = libc.func('int close(int fd)')

/** struct sockaddr_in, any address */
function anyAddress(port: number): Buffer {
  const address = Buffer.alloc(16)
  address.writeUInt16LE(afInet, 0)
  address.writeUInt16BE(port, 2)
  return address
}

function boundIn(netnsPath: string, port: number, type: number): number {
  const opened = withNamespace<unknown>(netnsPath, () => socket(afInet, type | sockNonblock | sockCloexec, 0))
  const descriptor = z.int().parse(opened)
  if (descriptor < 0) throw new Unavailable(`no socket in ${netnsPath}, errno ${koffi.errno()}`)
  const address = anyAddress(port)
  if (bind(descriptor, address, address.length) !== 0) throw failed(descriptor, netnsPath, port)
  return descriptor
}

function failed(descriptor: number, netnsPath: string, port: number): Unavailable {
  const errno = koffi.errno()
  close(descriptor)
  return new Unavailable(`port ${port} in ${netnsPath} was not opened, errno ${errno}`)
}

/** @returns the descriptor of a UDP socket, on all addresses of the namespace */
export function bindIn(netnsPath: string, port: number): number {
  return boundIn(netnsPath, port, sockDgram)
}

/** @returns the descriptor of a listening TCP socket, on all addresses of the namespace */
export function listenIn(netnsPath: string, port: number): number {
  const descriptor = boundIn(netnsPath, port, sockStream)
  if (listen(descriptor, backlog) !== 0) throw failed(descriptor, netnsPath, port)
  return descriptor
}
