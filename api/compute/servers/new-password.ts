import { randomInt } from 'node:crypto'

/** Without signs that are mistaken for others: Nova's alphabet. */
const signs = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** The password of an administrator that names none. */
export function newPassword(): string {
  return Array.from({ length: 12 }, () => signs[randomInt(signs.length)]).join('')
}
