/** What is said of what went wrong, in each facade's form. */
import { z } from 'zod'
import { text } from './words.ts'

const computeNames: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  406: 'computeFault',
  409: 'conflictingRequest',
  410: 'computeFault',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  500: 'computeFault',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}
const message = text.min(1)

function coded(status: number): z.ZodType {
  return z.strictObject({ error: z.strictObject({ code: z.literal(status), message, title: text.min(1) }) })
}

const forms: Readonly<Record<string, (status: number) => z.ZodType>> = {
  compute: (status) =>
    z.strictObject({
      [computeNames[status] ?? `no name for ${status}`]: z.strictObject({ code: z.literal(status), message }),
    }),
  identity: coded,
  ipam: coded,
  berth: coded,
  networking: () =>
    z.strictObject({ NeutronError: z.strictObject({ type: z.string().regex(/^[A-Z]\w+$/), message, detail: text }) }),
  // To who takes nothing but JSON; else a page.
  image: (status) =>
    z.union([
      z.strictObject({ message, code: z.string().startsWith(`${status} `), title: text.min(1) }),
      z.string().startsWith(`<html><head><title>${status} `),
    ]),
  placement: (status) =>
    z.strictObject({
      errors: z.tuple([z.strictObject({ status: z.literal(status), title: text.min(1), detail: message })]),
    }),
}

/** @param facade the first part of the path */
export function faultOf(facade: string, status: number): z.ZodType {
  return (forms[facade] ?? coded)(status)
}
