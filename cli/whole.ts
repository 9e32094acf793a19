import { InvalidArgumentError } from 'commander'

/** The argument of an option that takes a whole number. */
export function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}
