/** Offloads of a link, by the ethtool ioctl. Source: linux/ethtool.h, linux/sockios.h. */
import koffi from 'koffi'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'
import { withNamespace } from './namespace.ts'

const afInet = 2
const sockDgram = 2
const siocEthtool = 0x8946
const ethtoolSetTxChecksum = 0x17
const ifNameBytes = 16
const ifReqBytes = 40

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const close = libc.func('int close(int fd)')
const ioctl = libc.func('int ioctl(int fd, ulong request, _Inout_ uint8_t *argument)')

/** struct ifreq, and behind it the struct ethtool_value that it points to */
function requestFor(device: string, on: boolean): Buffer {
  const request = Buffer.alloc(ifReqBytes + 8)
  request.write(device, 0, ifNameBytes - 1)
  request.writeBigUInt64LE(koffi.address(request) + BigInt(ifReqBytes), ifNameBytes)
  request.writeUInt32LE(ethtoolSetTxChecksum, ifReqBytes)
  request.writeUInt32LE(on ? 1 : 0, ifReqBytes + 4)
  return request
}

function setTxChecksumHere(device: string, on: boolean): void {
  const descriptor = z
    .int()
    .nonnegative()
    .parse(socket(afInet, sockDgram, 0))
  try {
    if (ioctl(descriptor, siocEthtool, requestFor(device, on)) !== 0) {
      throw new Unavailable(`${device}: transmit checksum offload was not set, errno ${koffi.errno()}`)
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
  if (netnsPath === null) setTxChecksumHere(device, false)
  else withNamespace(netnsPath, () => setTxChecksumHere(device, false))
}
