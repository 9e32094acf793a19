import { z } from 'zod'

/** Where images are kept, and how long. */
export const images = {
  registryUrl: z
    .string()
    .nullable()
    .default(null)
    .describe('host:port or https://host of an OCI registry; null = one of our own'),
  registryPort: z.coerce
    .number()
    .int()
    .default(5010)
    .describe('TCP port of a registry of our own; not 5000, which many things hold'),
  registryAddress: z
    .string()
    .default('127.0.0.1')
    .describe('address a registry of our own listens on: one that all hosts reach where there are more machines'),
  registryCa: z
    .string()
    .startsWith('-----BEGIN CERTIFICATE')
    .nullable()
    .default(null)
    .describe(
      'PEM of the authorities of the registry and its mirrors; null = made by up for a registry of our own, else plain HTTP unless the URL says https',
    ),
  registryUser: z.string().min(1).default('berth').describe('user at the registry and its mirrors'),
  registryPassword: z
    .string()
    .min(8)
    .nullable()
    .default(null)
    .describe('its password; null = generated for a registry of our own and kept in home, else nobody is asked'),
  registryMirrors: z
    .array(z.string())
    .default([])
    .describe('host:port of mirrors that this host pulls from: the one that answers first, before the registry itself'),
  registryMirrorPort: z.coerce
    .number()
    .int()
    .min(1)
    .max(65535)
    .nullable()
    .default(null)
    .describe('TCP port: up starts a mirror of the registry here, for the hosts of a data centre; null = none'),
  imagesBeforehand: z
    .enum(['public', 'wished'])
    .default('public')
    .describe(
      'images that a host has before a server needs them: public ones and those wished for, or the latter alone',
    ),
  imageIdleHours: z.coerce
    .number()
    .min(0)
    .default(24)
    .describe('hours: an image that nothing on a host has needed for so long leaves its engine'),
  registryKeepHours: z.coerce
    .number()
    .min(0)
    .default(24)
    .describe(
      'hours: what nothing has referred to for so long leaves the registry; 0 is for a cloud where nobody is at work',
    ),
  imageSweepMinutes: z.coerce
    .number()
    .positive()
    .default(60)
    .describe('minutes between two looks for images that nobody needs, on a host and in the registry'),
  imageLayers: z.coerce
    .number()
    .int()
    .min(2)
    .max(100)
    .default(16)
    .describe('layers: an image of more is made into one of one layer, in the background'),
}
