/** Offloads of a link, by the ethtool ioctl. Source: linux/ethtool.h, linux/sockios.h. */
import koffi from 'koffi'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'
import { withNamespace } from './namespace.ts'

const afInet = 2
const sockDgram = 2
const siocEthtool = 0x8946
const ethtoolSetTxChecksum = 0x17
const ethtoolSetGro = 0x2c
const ifNameBytes = 16
const ifReqBytes = 40

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const close = libc.func('int close(int fd)')
const ioctl = libc.func('int ioctl(int fd, ulong request, _Inout_ uint8_t *argument)')

/** struct ifreq, and behind it the struct ethtool_value that it points to */
function requestFor(device: string, command: number): Buffer {
  const request = Buffer.alloc(ifReqBytes + 8)
  request.write(device, 0, ifNameBytes - 1)
  request.writeBigUInt64LE(koffi.address(request) + BigInt(ifReqBytes), ifNameBytes)
  request.writeUInt32LE(command, ifReqBytes)
  return request
}

function turnOffHere(device: string, command: number): void {
  const descriptor = z
    .int()
    .nonnegative()
    .parse(socket(afInet, sockDgram, 0))
  try {
    if (ioctl(descriptor, siocEthtool, requestFor(device, command)) !== 0) {
      throw new Unavailable(`${device}: an offload was not turned off, errno ${koffi.errno()}`)
    }
  } finally {
    close(descriptor)
  }
}

/**
 * Transmit checksum offload off: the userspace datapath would otherwise send TCP with checksums that nobody completes.
 *
 * @param netnsPath where the device is; null = the host
 */
export function turnOffTxChecksum(device: string, netnsPath: string | null): void {
  turnOff(device, ethtoolSetTxChecksum, netnsPath)
}

/** Frames stay as they came: the userspace datapath takes none that are larger than the MTU. */
export function turnOffGro(device: string, netnsPath: string | null): void {
  turnOff(device, ethtoolSetGro, netnsPath)
}

function turnOff(device: string, command: number, netnsPath: string | null): void {
  if (netnsPath === null) turnOffHere(device, command)
  else withNamespace(netnsPath, () => turnOffHere(device, command))
}
